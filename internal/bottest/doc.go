// Package bottest holds small in-process servers of the platforms and the mail that Llave talks to, so that tests run the
// real clients over real connections. Each records what it was asked and can be told to be slow, to fail or to be gone. It
// also runs the built binary, and plays the browsers of people and agents. Nothing here imitates an interface of ours.
package bottest
