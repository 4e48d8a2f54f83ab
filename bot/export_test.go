package bot

import "slices"

// AddKind is a line more on the list of kinds, until undo is called.
func AddKind(k kind) (undo func()) {
	before := kinds
	kinds = append(slices.Clip(kinds), k)
	return func() { kinds = before }
}

// NewKind is kindOf.
func NewKind[D Duty]() kind { return kindOf[D]() }
