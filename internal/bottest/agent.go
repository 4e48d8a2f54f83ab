package bottest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Agent is somebody of the help desk at the console, in a browser without script: it keeps cookies, reads pages, sends
// their forms with what is hidden in them, and says where a form came from. It follows no redirect. Unlike such a browser it
// can listen to the pages' stream. Its methods may be called from many goroutines.
type Agent struct {
	base   string // the console's public address
	from   string // X-Forwarded-For
	client *http.Client
}

// NewAgent makes an agent for the console at a public address. [from] is the network address they come from, for processes
// that trust their proxy.
func NewAgent(base, from string) *Agent {
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // it has no options
	}
	return &Agent{base, from, &http.Client{
		Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 4},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// DeskForm is a form of a page, with what it sends if nobody types.
type DeskForm struct {
	Action  string
	Fields  url.Values
	Choices map[string][]string // what can be chosen for a field, but for nothing
}

// With returns the form with a field filled in.
func (f DeskForm) With(field, value string) DeskForm {
	all := url.Values{field: {value}}
	for name, values := range f.Fields {
		if name != field {
			all[name] = values
		}
	}
	f.Fields = all
	return f
}

// DeskRow is a case in a page's list, and DeskLine a line of its conversation.
type (
	DeskRow  struct{ Ref, Status, Text string }
	DeskLine struct {
		Seq        int64
		From, Text string
	}
)

// DeskPage is an answer of the console's.
type DeskPage struct {
	Status   int
	Location string // of a redirect
	Stream   string // the address of the page's stream
	Rows     []DeskRow
	Lines    []DeskLine
	Forms    []DeskForm
	Bytes    int
}

// Form returns the form whose address ends in a word.
func (p DeskPage) Form(name string) (DeskForm, bool) {
	i := slices.IndexFunc(p.Forms, func(f DeskForm) bool { return strings.HasSuffix(f.Action, "/"+name) })
	if i < 0 {
		return DeskForm{}, false
	}
	return p.Forms[i], true
}

// DeskEvent is one event of a page's stream.
type DeskEvent struct {
	Name, ID string
	Data     []byte
	At       time.Time
}

// SignIn signs in.
func (a *Agent) SignIn(ctx context.Context, login, password string) error {
	p, err := a.Get(ctx, "/agentes/entrar")
	if err != nil {
		return err
	}
	form, found := p.Form("entrar")
	if !found {
		return fmt.Errorf("sign in: no form, status %d", p.Status)
	}
	p, err = a.Send(ctx, form.With("usuario", login).With("contrasena", password))
	if err == nil && (p.Status != http.StatusSeeOther || strings.HasSuffix(p.Location, "/entrar")) {
		err = fmt.Errorf("sign in: status %d to %q", p.Status, p.Location)
	}
	return err
}

// Get reads a page.
func (a *Agent) Get(ctx context.Context, path string) (DeskPage, error) {
	return a.ask(ctx, http.MethodGet, path, nil)
}

// Send sends a form.
func (a *Agent) Send(ctx context.Context, f DeskForm) (DeskPage, error) {
	return a.ask(ctx, http.MethodPost, f.Action, f.Fields)
}

// Beat says that the page is there, as it does when its stream asks.
func (a *Agent) Beat(ctx context.Context) error {
	p, err := a.ask(ctx, http.MethodPost, "/agentes/latido", url.Values{})
	if err == nil && p.Status != http.StatusNoContent && p.Status != http.StatusOK { // the latter from where it says what has changed
		err = fmt.Errorf("heartbeat: status %d", p.Status)
	}
	return err
}

func (a *Agent) request(ctx context.Context, method, path string, fields url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, fmt.Errorf("desk: %w", err)
	}
	req.Header.Set("X-Forwarded-For", a.from)
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", a.base)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return req, nil
}

// answerTime is how long an agent waits for a page.
const answerTime = 30 * time.Second

func (a *Agent) ask(ctx context.Context, method, path string, fields url.Values) (p DeskPage, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	req, err := a.request(ctx, method, path, fields)
	if err != nil {
		return p, err
	}
	res, err := a.client.Do(req)
	if err != nil {
		return p, fmt.Errorf("desk: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return p, fmt.Errorf("desk: %w", err)
	}
	p = DeskPage{Status: res.StatusCode, Location: res.Header.Get("Location"), Bytes: len(body)}
	return p, p.read(body)
}

// Listen listens to a page's stream until [ctx] ends or the stream does. [lastID] is the last line that is known already;
// "": what the address says.
func (a *Agent) Listen(ctx context.Context, stream, lastID string, each func(DeskEvent)) error {
	req, err := a.request(ctx, http.MethodGet, stream, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Sec-Fetch-Dest", "empty")
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	res, err := a.client.Do(req)
	if err != nil {
		return fmt.Errorf("stream: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("stream: status %d", res.StatusCode)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 4<<20)
	var e DeskEvent
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "event":
			e.Name = value
		case "id":
			e.ID = value
		case "data":
			e.Data = []byte(value)
		case "":
			e.At = time.Now()
			each(e)
			e = DeskEvent{}
		}
	}
	return lines.Err()
}

// Close lets go of the connections.
func (a *Agent) Close() { a.client.CloseIdleConnections() }

// read finds in a page what an agent looks at.
func (p *DeskPage) read(html []byte) error {
	d := xml.NewDecoder(bytes.NewReader(html))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	r := deskReader{page: p}
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the page: %w", err)
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			if err := r.start(tok); err != nil {
				return fmt.Errorf("read the page: %w", err)
			}
		case xml.CharData:
			r.text(string(tok))
		case xml.EndElement:
			r.end(tok.Name.Local)
		}
	}
}

// deskReader is where in a page the reading is.
type deskReader struct {
	page   *DeskPage
	form   *DeskForm
	line   *DeskLine
	row    *DeskRow
	field  string // the select or textarea that is open
	inText bool
}

func (r *deskReader) start(tok xml.StartElement) error {
	p, at := r.page, map[string]string{}
	for _, a := range tok.Attr {
		at[a.Name.Local] = a.Value
	}
	switch name := tok.Name.Local; {
	case name == "body":
		p.Stream = at["data-stream"]
	case name == "form":
		p.Forms = append(p.Forms, DeskForm{Action: at["action"], Fields: url.Values{}, Choices: map[string][]string{}})
		r.form = &p.Forms[len(p.Forms)-1]
	case name == "input" && r.form != nil:
		r.form.Fields.Set(at["name"], at["value"])
	case (name == "select" || name == "textarea") && r.form != nil:
		r.field = at["name"]
		r.form.Fields.Set(r.field, "")
	case name == "option" && r.form != nil && at["value"] != "":
		r.form.Choices[r.field] = append(r.form.Choices[r.field], at["value"])
	case name == "li" && at["data-order"] != "":
		p.Rows = append(p.Rows, DeskRow{Ref: at["data-ref"], Status: at["data-status"]})
		r.row = &p.Rows[len(p.Rows)-1]
	case name == "li" && at["data-seq"] != "":
		seq, err := strconv.ParseInt(at["data-seq"], 10, 64)
		if err != nil {
			return err
		}
		p.Lines = append(p.Lines, DeskLine{Seq: seq, From: strings.TrimPrefix(at["class"], "line ")})
		r.line = &p.Lines[len(p.Lines)-1]
	case name == "p" && r.line != nil && at["class"] == "text":
		r.inText = true
	}
	return nil
}

func (r *deskReader) text(said string) {
	switch {
	case r.inText && r.line != nil:
		r.line.Text += said
	case r.row != nil:
		r.row.Text += said
	}
}

func (r *deskReader) end(name string) {
	switch name {
	case "form":
		r.form = nil
	case "select", "textarea":
		r.field = ""
	case "li":
		r.line, r.row = nil, nil
	case "p":
		r.inText = false
	}
}
