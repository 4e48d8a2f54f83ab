//go:build linux || darwin || freebsd

package doctor

import (
	"fmt"
	"syscall"
)

// diskSpace asks the system.
func diskSpace(dir string) (free, total uint64, err error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return 0, 0, fmt.Errorf("ask how full the disk of %s is: %w", dir, err)
	}
	size := uint64(st.Bsize) //nolint:unconvert // it has another type on each system
	return uint64(st.Bavail) * size, uint64(st.Blocks) * size, nil
}
