package bolt

// Ungroup has each write be a commit of its own, to measure what grouping buys. It is for before the first write.
func Ungroup(e *Engine) {
	e.writer.mu.Lock()
	defer e.writer.mu.Unlock()
	e.writer.most = 1
}
