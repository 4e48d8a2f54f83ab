// Package check holds what is shipped in deploy/ to what those who read it read: Kubernetes' own types, Compose's own schema,
// BuildKit's own parser, CycloneDX's own schema. It is a module of its own, so that none of theirs is in Llave's; make supply runs it.
package check
