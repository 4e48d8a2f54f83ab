// Package bottest is the world in a box: the servers that Llave talks to, small and in-process, so that tests run our
// real clients over real wires. Each records what it was asked and can be told to be slow, rude or gone. Nothing here
// imitates an interface of ours.
package bottest
