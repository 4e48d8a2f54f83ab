package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed templates assets
var files embed.FS

var shared = MustAssets("/recursos/", files, "assets")

// Pages are templates by name, each a whole page: the shared frame, and the file's "title" and "main". A page is parsed when
// it is first shown, since each has its own copy of everything it may use, and most processes never show most of them.
type Pages map[string]func() (*template.Template, error)

// ParsePages reads the *.html of a folder. Each is a page; those named *.part.html are parts that every page of the
// folder may use. The kit's frame and parts come along.
func ParsePages(fsys fs.FS, dir string, assets ...*Assets) (Pages, error) {
	kit, err := kitParts(assets)
	if err != nil {
		return nil, err
	}
	return kit.Pages(fsys, dir)
}

// Languages are pages by language; those under "" are Spanish, and whole.
type Languages map[string]Pages

// ParseLanguages is ParsePages of a folder, and of each of its folders that is called as a language of the kit's frame is: "en".
func ParseLanguages(fsys fs.FS, dir string, assets ...*Assets) (Languages, error) {
	kit, err := kitParts(assets)
	if err != nil {
		return nil, err
	}
	all := Languages{}
	if all[""], err = kit.Pages(fsys, dir); err != nil {
		return nil, err
	}
	frames, err := fs.Glob(files, "templates/*.part.html")
	if err != nil {
		return nil, fmt.Errorf("find languages: %w", err)
	}
	for _, frame := range frames {
		lang := strings.TrimSuffix(path.Base(frame), ".part.html")
		words, err := kit.with(files, []string{frame})
		if err != nil {
			return nil, err
		}
		if all[lang], err = words.Pages(fsys, path.Join(dir, lang)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// In returns the pages to take a page from: those of a language that has it, else the Spanish; and the language that this is.
func (l Languages) In(lang, page string) (Pages, string) {
	if _, ok := l[lang][page]; ok {
		return l[lang], lang
	}
	return l[""], ""
}

// Show is Show in a language, where that has the page.
func (l Languages) Show(w http.ResponseWriter, lang string, v View) error {
	pages, lang := l.In(lang, v.Name)
	if lang != "" {
		w.Header().Set("Content-Language", lang)
	}
	return Show(w, pages, v)
}

// Parts are templates that the pages of several folders may use.
type Parts struct{ all *template.Template }

func kitParts(assets []*Assets) (*Parts, error) {
	all, err := template.New("frame").Funcs(template.FuncMap{"asset": assetFunc(assets)}).ParseFS(files, "templates/frame.html")
	if err != nil {
		return nil, fmt.Errorf("parse frame: %w", err)
	}
	return &Parts{all}, nil
}

// ParseParts reads the *.part.html of a folder, beside the kit's frame and parts; its own come in place of the kit's of the
// same name.
func ParseParts(fsys fs.FS, dir string, assets ...*Assets) (*Parts, error) {
	kit, err := kitParts(assets)
	if err != nil {
		return nil, err
	}
	parts, _, err := templateFiles(fsys, dir)
	if err != nil {
		return nil, err
	}
	return kit.with(fsys, parts)
}

// with returns the parts and those of some more files.
func (p *Parts) with(fsys fs.FS, names []string) (*Parts, error) {
	if len(names) == 0 {
		return p, nil
	}
	all, err := p.all.Clone()
	if err == nil {
		all, err = all.ParseFS(fsys, names...)
	}
	if err != nil {
		return nil, fmt.Errorf("parse parts: %w", err)
	}
	return &Parts{all}, nil
}

// Pages reads the *.html of a folder as ParsePages does, for pages that may use these parts too.
func (p *Parts) Pages(fsys fs.FS, dir string) (Pages, error) {
	parts, whole, err := templateFiles(fsys, dir)
	if err != nil {
		return nil, err
	}
	if p, err = p.with(fsys, parts); err != nil {
		return nil, err
	}
	pages := Pages{}
	for _, n := range whole {
		pages[strings.TrimSuffix(path.Base(n), ".html")] = sync.OnceValues(func() (*template.Template, error) {
			t, err := p.all.Clone()
			if err == nil {
				t, err = t.ParseFS(fsys, n)
			}
			if err != nil {
				return nil, fmt.Errorf("parse page: %w", err)
			}
			return t, nil
		})
	}
	return pages, nil
}

// templateFiles lists the *.html of a folder: parts, and whole pages.
func templateFiles(fsys fs.FS, dir string) (parts, whole []string, err error) {
	names, err := fs.Glob(fsys, path.Join(dir, "*.html"))
	if err != nil {
		return nil, nil, fmt.Errorf("find pages: %w", err)
	}
	for _, n := range names {
		if strings.HasSuffix(n, ".part.html") {
			parts = append(parts, n)
		} else {
			whole = append(whole, n)
		}
	}
	return parts, whole, nil
}

// Draw writes one template of a page: "frame" is the whole of it.
func (p Pages) Draw(w io.Writer, page, part string, data any) error {
	parsed, ok := p[page]
	if !ok {
		return fmt.Errorf("no page %q", page)
	}
	t, err := parsed()
	if err != nil {
		return err
	}
	if err := t.ExecuteTemplate(w, part, data); err != nil {
		return fmt.Errorf("render page: %w", err)
	}
	return nil
}

func assetFunc(own []*Assets) func(string) (string, error) {
	return func(name string) (string, error) {
		for _, a := range append(own, shared) {
			if u := a.URL(name); u != "" {
				return u, nil
			}
		}
		return "", fmt.Errorf("no file %q", name)
	}
}

// Policy is the Content-Security-Policy of a page. Nothing outside this site is ever asked for or posted to.
const Policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// Permissions is the Permissions-Policy of every answer: no page of ours asks for any of it, and none may have it asked in its name.
// What the desk uses (sound, notifications) needs none.
const Permissions = "accelerometer=(), bluetooth=(), browsing-topics=(), camera=(), display-capture=(), fullscreen=(), geolocation=(), gyroscope=(), " +
	"hid=(), idle-detection=(), local-fonts=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-get=(), screen-wake-lock=(), " +
	"serial=(), usb=(), web-share=(), xr-spatial-tracking=()"

// Framed is a policy that lets a page stand in a frame of our own site.
func Framed(policy string) string {
	return strings.ReplaceAll(policy, "frame-ancestors 'none'", "frame-ancestors 'self'")
}

// View is a page to be shown.
type View struct {
	Name   string
	Status int           // 0: 200
	Form   bool          // has a form: it may tell its own site where it came from, which older browsers need to post it
	Policy string        // "": Policy
	MaxAge time.Duration // how long anybody may keep the page; 0: nobody
	Data   any
}

// Show renders a page and answers with it: into a buffer, then headers and status, then the body.
func Show(w http.ResponseWriter, pages Pages, v View) error {
	var b bytes.Buffer
	if err := pages.Draw(&b, v.Name, "frame", v.Data); err != nil {
		return err
	}
	h := w.Header()
	Secure(h, v.Policy, v.Form)
	if v.MaxAge > 0 {
		h.Set("Cache-Control", fmt.Sprintf("public, max-age=%d", int(v.MaxAge.Seconds())))
	}
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	if v.Status == 0 {
		v.Status = http.StatusOK
	}
	w.WriteHeader(v.Status)
	_, _ = w.Write(b.Bytes()) // who has gone away misses nothing
	return nil
}

// Secure puts on the headers that every page has. An empty policy is Policy.
func Secure(h http.Header, policy string, form bool) {
	if policy == "" {
		policy = Policy
	}
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Permissions-Policy", Permissions)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "no-referrer")
	if form {
		h.Set("Referrer-Policy", "same-origin")
	}
}

// Redirect answers a POST: go and see (303). The headers of a form page go along, since the browser applies the
// answer's Referrer-Policy to what it asks for next.
func Redirect(w http.ResponseWriter, r *http.Request, to string) error {
	Secure(w.Header(), "", true)
	http.Redirect(w, r, to, http.StatusSeeOther)
	return nil
}

// Span is a length of time as a person says it: a number and which unit; the words are in the template "span".
type Span struct {
	N    int
	Unit string // "second", "minute", "hour", "day", "year"
}

// Wait is [d] for people: rounded up, in the largest unit that fits. Zero is the zero Span.
func Wait(d time.Duration) Span {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	up := func(unit time.Duration, name string) Span { return Span{int((d + unit - 1) / unit), name} }
	switch {
	case d <= 0:
		return Span{}
	case d < time.Minute:
		return up(time.Second, "second")
	case d <= 90*time.Minute && d%time.Hour != 0:
		return up(time.Minute, "minute")
	case d <= 48*time.Hour && d != 2*day:
		return up(time.Hour, "hour")
	case d < year:
		return up(day, "day")
	}
	return up(year, "year")
}

// ShowPart answers with one template of a page: a piece that a script puts into the page.
func ShowPart(w http.ResponseWriter, pages Pages, page, part string, data any) error {
	var b bytes.Buffer
	if err := pages.Draw(&b, page, part, data); err != nil {
		return err
	}
	Secure(w.Header(), "", false)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
	return nil
}
