//go:build !unix

package bolt_test

// helper does nothing where tests cannot limit a file's size.
func helper() bool { return false }
