package unlock

// All are the attempts of the document, the newest first.
func (d *Document) All() (attempts []Attempt) {
	for _, a := range d.all() {
		attempts = append(attempts, *a)
	}
	return attempts
}
