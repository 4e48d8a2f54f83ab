package unlock

import "slices"

// Of are the attempts of the document that a conversation asked for.
func (d *Document) Of(conv string) (attempts []Attempt) {
	for _, a := range d.all() {
		if slices.Contains(a.Convs, conv) || a.By == conv {
			attempts = append(attempts, *a)
		}
	}
	return attempts
}

// All are the attempts of the document, the newest first.
func (d *Document) All() (attempts []Attempt) {
	for _, a := range d.all() {
		attempts = append(attempts, *a)
	}
	return attempts
}
