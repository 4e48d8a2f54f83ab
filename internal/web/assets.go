package web

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

// Assets are files that pages link to. Their address holds a hash of their content, so that a browser may keep them
// for good and never shows an old one.
type Assets struct {
	prefix string
	byName map[string]string // name → address
	byAddr map[string]asset
}

type asset struct {
	name    string
	content []byte
}

// LoadAssets reads the files of a folder, to be served under [prefix] ("/recursos/").
func LoadAssets(prefix string, fsys fs.FS, dir string) (*Assets, error) {
	a := &Assets{prefix: prefix, byName: map[string]string{}, byAddr: map[string]asset{}}
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read assets: %w", err)
	}
	for _, e := range entries {
		content, err := fs.ReadFile(fsys, path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("read asset: %w", err)
		}
		sum := sha256.Sum256(content)
		addr := prefix + hex.EncodeToString(sum[:6]) + "/" + e.Name()
		a.byName[e.Name()] = addr
		a.byAddr[addr] = asset{e.Name(), content}
	}
	return a, nil
}

// MustAssets is LoadAssets for embedded files, which cannot fail once the program was built.
func MustAssets(prefix string, fsys fs.FS, dir string) *Assets {
	a, err := LoadAssets(prefix, fsys, dir)
	if err != nil {
		panic(err)
	}
	return a
}

// URL is the address of a file, or "".
func (a *Assets) URL(name string) string { return a.byName[name] }

func (a *Assets) pattern() string { return "GET " + a.prefix + "{hash}/{name}" }

// Routes serves the files.
func (a *Assets) Routes(mux *http.ServeMux) { mux.Handle(a.pattern(), a) }

// ServeHTTP serves one file, compressed types by their extension.
func (a *Assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f, ok := a.byAddr[r.URL.Path]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=31536000, immutable")
	h.Set("Content-Security-Policy", "default-src 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if path.Ext(f.name) == ".svg" {
		h.Set("Content-Type", "image/svg+xml") // not every system's table of types knows it
	}
	r.Header.Del("Range") // a file is small, and a thousand ranges of it cost more than it (GO-2026-6609)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.content))
}
