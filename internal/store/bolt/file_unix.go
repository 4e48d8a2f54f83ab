//go:build linux || darwin

package bolt

import (
	"io/fs"
	"os"
	"syscall"
)

// likeness gives a file the rights and the owner that another has.
func likeness(of fs.FileInfo, path string) error {
	is, err := os.Stat(path)
	if err != nil {
		return err
	}
	was, ok := of.Sys().(*syscall.Stat_t)
	now, same := is.Sys().(*syscall.Stat_t)
	if ok && same && (was.Uid != now.Uid || was.Gid != now.Gid) {
		if err := os.Chown(path, int(was.Uid), int(was.Gid)); err != nil {
			return err
		}
	}
	return os.Chmod(path, of.Mode().Perm())
}

// links is under how many names a file lies.
func links(of fs.FileInfo) uint64 {
	if stat, ok := of.Sys().(*syscall.Stat_t); ok {
		return uint64(stat.Nlink) //nolint:unconvert // it is shorter elsewhere
	}
	return 1
}
