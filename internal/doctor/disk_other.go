//go:build !linux && !darwin

package doctor

import "errors"

// diskSpace cannot tell here.
func diskSpace(string) (free, total uint64, err error) { return 0, 0, errors.ErrUnsupported }
