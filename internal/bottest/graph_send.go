package bottest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// graphRefusal is an error answer.
type graphRefusal struct {
	code, subcode, status int
	message, details      string
	retryAfter            int
}

// graphKind is what Meta says with a code.
type graphKind struct {
	status         int
	title, details string
}

var graphKinds = map[int]graphKind{
	1:      {500, "An unknown error occurred", ""},
	2:      {503, "Service temporarily unavailable", ""},
	4:      {400, "Application request limit reached", ""},
	10:     {403, "Application does not have permission for this action", ""},
	100:    {400, "Invalid parameter", ""},
	190:    {401, "", ""}, // told apart by its subcode
	200:    {403, "Permissions error", ""},
	368:    {403, "Temporarily blocked for policies violations", "The WhatsApp Business Account has been restricted."},
	80007:  {429, "Rate limit issues", ""},
	130429: {429, "Rate limit hit", "Message failed to send because there were too many messages sent from this phone number in a short period of time"},
	131000: {500, "Something went wrong", "Message failed to send due to an unknown error."},
	131005: {403, "Access denied", "Permission is either not granted or has been removed."},
	131008: {400, "Required parameter is missing", ""},
	131009: {400, "Parameter value is not valid", ""},
	131016: {503, "Service unavailable", "A service is temporarily unavailable."},
	131021: {400, "Recipient cannot be sender", "Sender and recipient phone number is the same."},
	131026: {400, "Message undeliverable", "Message Undeliverable."},
	131031: {403, "Business Account locked", "Your WhatsApp Business Account has been locked."},
	131042: {400, "Business eligibility payment issue", "Message failed to send because of one or more errors related to your payment method."},
	131045: {500, "Incorrect certificate", "Message failed to send due to a phone number registration error."},
	131047: {400, "Re-engagement message", "Message failed to send because more than 24 hours have passed since the customer last replied to this number."},
	131048: {429, "Spam rate limit hit", "Message failed to send because there are restrictions on how many messages can be sent from this phone number."},
	131051: {501, "Message type unknown", "Message type is currently not supported."},
	131056: {429, "(Business Account, Consumer Account) pair rate limit hit", "Message failed to send because there were too many messages sent from this phone number to the same phone number in a short period of time"},
	131057: {500, "Account in maintenance mode", "Business Account is in maintenance mode."},
	132000: {400, "Number of parameters does not match the expected number of params", ""},
	132001: {404, "Template name does not exist in the translation", ""},
	133004: {503, "Server temporarily unavailable", "Server is temporarily unavailable."},
}

func graphError(code int) graphKind {
	k, ok := graphKinds[code]
	switch {
	case ok:
	case code > 200 && code < 300: // a family
		k = graphKinds[200]
	default:
		k = graphKind{status: 400, title: "Something went wrong"}
	}
	return k
}

// The two words of a refused token.
const (
	graphTextExpired = "Error validating access token: Session has expired on Sunday, 22-Nov-26 00:00:00 PST."
	graphTextToken   = "Invalid OAuth access token - Cannot parse access token"
)

// refuseGraph is a refusal in Meta's words.
func refuseGraph(code int, details string) *graphRefusal {
	k := graphError(code)
	r := &graphRefusal{code: code, status: k.status, details: details}
	if details == "" {
		r.details = k.details
	}
	r.message = fmt.Sprintf("(#%d) %s", code, k.title)
	return r
}

// required is how Meta asks for a parameter of the first level, and of the text.
func required(name string) *graphRefusal {
	r := refuseGraph(100, "")
	r.message = "(#100) The parameter " + name + " is required."
	return r
}

func badType(name, want string) *graphRefusal {
	r := refuseGraph(100, "")
	r.message = "(#100) Param " + name + " must be " + want + "."
	return r
}

func (r *graphRefusal) write(w http.ResponseWriter) {
	e := map[string]any{"message": r.message, "type": "OAuthException", "fbtrace_id": "Az8or2yhqkZfEZ-_4Qn_Bam"}
	if r.code != 0 {
		e["code"] = r.code
	}
	if r.subcode != 0 {
		e["error_subcode"] = r.subcode
	}
	if r.details != "" {
		e["error_data"] = map[string]any{"messaging_product": "whatsapp", "details": r.details}
	}
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	writeGraph(w, r.status, map[string]any{"error": e})
}

// writeGraph answers at once, whatever the handler does afterwards.
func writeGraph(w http.ResponseWriter, status int, v any) {
	body := mustMarshal(v)
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the bot may have gone
	_ = http.NewResponseController(w).Flush()
}

func (f *GraphFault) answer(w http.ResponseWriter) {
	switch {
	case f.Drop:
		panic(http.ErrAbortHandler) // the server closes the connection and says nothing
	case f.Body != "":
		if f.RetryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(f.RetryAfter))
		}
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(f.status())
		_, _ = io.WriteString(w, f.Body) // the bot may have gone
	default:
		r := refuseGraph(f.Code, f.Details)
		r.subcode, r.status, r.retryAfter = f.Subcode, f.status(), f.RetryAfter
		switch {
		case f.Message != "":
			r.message = f.Message
		case f.Code == 0:
			r.message = http.StatusText(f.status())
		case f.Code == 190:
			r.message = graphTextExpired
		}
		r.write(w)
	}
}

func (f *GraphFault) status() int {
	switch {
	case f.Status != 0:
		return f.Status
	case f.Drop:
		return 0
	case f.Code == 0:
		return http.StatusInternalServerError
	}
	return graphError(f.Code).status
}

// ServeHTTP answers one call of the bot: /<version>/<id> and what is below it.
func (g *Graph) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := BotCall{Params: map[string]string{}, At: time.Now()}
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		token = r.URL.Query().Get("access_token")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return // the bot has gone
	}
	var fields map[string]json.RawMessage
	form := r.Header.Get("Content-Type")
	bad := len(body) > 0 && !strings.HasPrefix(form, "multipart/") && (json.Unmarshal(body, &fields) != nil || fields == nil)
	for k, v := range fields {
		var s string
		if json.Unmarshal(v, &s) != nil {
			s = string(v)
		}
		call.Params[k] = s
	}
	do, missing := g.route(r, &call)

	g.mu.Lock()
	call.Params["access_token"] = token
	if p := g.addressee(call.Params["to"], call.Params["recipient"]); p != nil {
		call.Params["chat_id"] = strconv.FormatInt(p.phone, 10)
	} else if m := g.mail[call.Params["message_id"]]; m != nil {
		call.Params["chat_id"] = strconv.FormatInt(m.person.phone, 10)
	}
	refused := g.admit(token)
	delay := g.slow[""] + g.slow[call.Method]
	var fault *GraphFault
	if refused == nil {
		fault = g.fault(call)
	}
	g.mu.Unlock()
	g.dawdle(r, delay)

	var result any
	var after func()
	switch {
	case fault != nil && !fault.Done:
		g.dawdle(r, fault.Wait)
		g.record(call, fault.status())
		fault.answer(w)
		return
	case refused != nil:
	case missing != "":
		refused = refuseGraph(100, "")
		refused.subcode = 33
		refused.message = "Unsupported " + strings.ToLower(r.Method) + " request. Object with ID '" + missing +
			"' does not exist, cannot be loaded due to missing permissions, or does not support this operation"
	case bad:
		refused = badType("body", "a JSON object")
	default:
		result, after, refused = do(body)
	}
	if after != nil {
		defer after()
	}
	switch {
	case fault != nil:
		g.dawdle(r, fault.Wait)
		g.record(call, 0)
		fault.answer(w)
	case refused != nil:
		g.record(call, refused.status)
		refused.write(w)
	default:
		g.record(call, http.StatusOK)
		writeGraph(w, http.StatusOK, result)
	}
}

// graphMethod does what was asked, and returns the answer and what comes after it.
type graphMethod func(body []byte) (result any, after func(), refused *graphRefusal)

// route finds what a path means and names the call; [missing] is the id that does not exist.
func (g *Graph) route(r *http.Request, call *BotCall) (do graphMethod, missing string) {
	version, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	id, edge, _ := strings.Cut(rest, "/")
	own := id == g.opt.PhoneNumberID
	if name, admin, mine := g.adminRoute(id, edge, r); name != "" && version == g.opt.Version && r.Method == http.MethodGet {
		if call.Method = name; !mine {
			return nil, id
		}
		return admin, ""
	}
	switch {
	case edge == "messages" && call.Params["status"] != "":
		call.Method, do = "read", g.markRead
	case edge == "messages":
		call.Method, do = "messages", g.message
	case edge == "media":
		call.Method, do = "media", g.media(r.Header.Get("Content-Type"))
	case edge == "subscribed_apps":
		call.Method, do = "subscribed_apps", g.subscription(r.Method)
		own = id == g.opt.AccountID
	case edge == "":
		call.Method, do = "phone_number", g.phoneNumber
	case edge == "whatsapp_business_profile", edge == "conversational_automation":
		call.Method, do = edge, g.introduction(edge, r.Method)
	default:
		call.Method = edge
	}
	switch {
	case version != g.opt.Version:
		return nil, version
	case !own:
		return nil, id
	case do == nil, (edge == "messages" || edge == "media") && r.Method != http.MethodPost, edge == "" && r.Method != http.MethodGet:
		return nil, id
	}
	return do, ""
}

// admit looks at the token. The lock is held.
func (g *Graph) admit(token string) *graphRefusal {
	if slices.Contains(g.tokens, token) || token == g.appToken() {
		return nil
	}
	r := refuseGraph(190, "")
	r.message = graphTextToken
	if g.expired[token] {
		r.message, r.subcode = graphTextExpired, 463
	}
	return r
}

func (g *Graph) phoneNumber([]byte) (any, func(), *graphRefusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return map[string]any{
		"id": g.opt.PhoneNumberID, "display_phone_number": g.opt.DisplayPhone, "verified_name": "Bot",
		"code_verification_status": "VERIFIED", "quality_rating": g.admin.quality, "status": g.admin.status, "platform_type": "CLOUD_API",
		"throughput": map[string]any{"level": "STANDARD"}, "conversational_automation": g.automation(),
	}, nil, nil
}

// subscription says and sets whether the account's webhooks come to the app.
func (g *Graph) subscription(method string) graphMethod {
	return func([]byte) (any, func(), *graphRefusal) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if method != http.MethodGet {
			g.subscribed = method == http.MethodPost
			return map[string]any{"success": true}, nil, nil
		}
		data := []any{}
		if g.subscribed {
			data = append(data, map[string]any{"whatsapp_business_api_data": map[string]any{
				"id": "1234567890123456", "name": "Bot", "link": "https://www.facebook.com/games/?app_id=1234567890123456",
			}})
		}
		return map[string]any{"data": data}, nil, nil
	}
}

// Unsubscribe undoes the account's subscription, as an operator may have; the bot's app sees it in subscribed_apps.
func (g *Graph) Unsubscribe() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.subscribed = false
}

// graphRequest is what a bot may send; any other member is refused.
type graphRequest struct {
	MessagingProduct string `json:"messaging_product"`
	RecipientType    string `json:"recipient_type"`
	To, Recipient    string
	Type             string
	Status           string
	MessageID        string                 `json:"message_id"`
	TypingIndicator  *struct{ Type string } `json:"typing_indicator"`
	Context          *struct {
		MessageID string `json:"message_id"`
	}
	Text *struct {
		Body       string
		PreviewURL bool `json:"preview_url"`
	}
	Image, Audio, Document, Video, Sticker *graphMedia
	Reaction                               *struct {
		MessageID string `json:"message_id"`
		Emoji     *string
	}
	Interactive *graphInteractive
	Template    *graphTemplateRequest
}

type graphMedia struct{ ID, Link, Caption, Filename string }

type graphInteractive struct {
	Type   string
	Header *struct {
		Type, Text string
		Image      *graphMedia
	}
	Body, Footer *struct{ Text string }
	Action       *struct {
		Name    string
		Button  string
		Buttons []struct {
			Type  string
			Reply struct{ ID, Title string }
		}
		Sections []struct {
			Title string
			Rows  []struct{ ID, Title, Description string }
		}
		Parameters struct {
			DisplayText string `json:"display_text"`
			URL         string
		}
	}
}

type graphTemplateRequest struct {
	Name       string
	Language   struct{ Code string }
	Components []struct {
		Type       string
		SubType    string `json:"sub_type"`
		Index      json.RawMessage
		Parameters []struct{ Type, Text, Payload string }
	}
}

func readGraphRequest(body []byte) (*graphRequest, *graphRefusal) {
	var q graphRequest
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&q); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, badType(wrong.Field, "of another type than "+wrong.Value)
		}
		if key, unknown := strings.CutPrefix(err.Error(), "json: unknown field "); unknown {
			r := refuseGraph(100, "")
			r.message = "(#100) Unexpected key " + key
			return nil, r
		}
		return nil, badType("body", "a JSON object")
	}
	switch q.MessagingProduct {
	case "whatsapp":
		return &q, nil
	case "":
		return nil, required("messaging_product")
	}
	return nil, badType("messaging_product", "one of {WHATSAPP}")
}

// typingLasts is how long the person sees that the bot is writing, unless it has written before.
const typingLasts = 25 * time.Second

// markRead marks a person's message, and the earlier ones, as read.
func (g *Graph) markRead(body []byte) (any, func(), *graphRefusal) {
	q, refused := readGraphRequest(body)
	switch {
	case refused != nil:
		return nil, nil, refused
	case q.Status != "read":
		return nil, nil, badType("status", "one of {READ}")
	case q.MessageID == "":
		return nil, nil, required("message_id")
	case q.TypingIndicator != nil && q.TypingIndicator.Type != "text":
		return nil, nil, badType("typing_indicator['type']", "one of {TEXT}")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	m := g.mail[q.MessageID]
	if m == nil || m.Bot {
		return nil, nil, refuseGraph(131009, "Message id is invalid.")
	}
	m.read = true
	for _, earlier := range m.person.messages {
		if !earlier.Bot && earlier.ID < m.ID {
			earlier.read = true
		}
	}
	if q.TypingIndicator != nil {
		m.person.typing = g.opt.Now().Add(typingLasts)
	}
	g.changed()
	return map[string]any{"success": true}, nil, nil
}

// addressee finds the person whom a message is for; a number goes before a user id. The lock is held.
func (g *Graph) addressee(to, recipient string) *graphPerson {
	if to == "" {
		return g.users[recipient]
	}
	n, _ := strconv.ParseInt(digits(to), 10, 64)
	return g.people[n]
}

var (
	graphTo        = regexp.MustCompile(`^\+?[0-9][0-9 ()-]{4,24}$`)
	graphRecipient = regexp.MustCompile(`^[A-Z]{2}\.[0-9A-Za-z]{1,128}$`)
)

// message takes a message, or says why not.
func (g *Graph) message(body []byte) (any, func(), *graphRefusal) {
	q, refused := readGraphRequest(body)
	if refused != nil {
		return nil, nil, refused
	}
	contact := map[string]any{"input": q.To, "wa_id": digits(q.To)}
	switch {
	case q.To == "" && q.Recipient == "":
		return nil, nil, required("to")
	case q.RecipientType != "" && q.RecipientType != "individual":
		return nil, nil, badType("recipient_type", "one of {INDIVIDUAL}")
	case q.To != "" && !graphTo.MatchString(q.To):
		return nil, nil, badType("to", "a phone number")
	case q.To == "" && !graphRecipient.MatchString(q.Recipient):
		return nil, nil, badType("recipient", "a business-scoped user id")
	case q.To == "":
		contact = map[string]any{"input": q.Recipient, "user_id": q.Recipient}
	case digits(q.To) == g.opt.DisplayPhone:
		return nil, nil, refuseGraph(131021, "")
	case q.Context != nil && !strings.HasPrefix(q.Context.MessageID, "wamid."):
		return nil, nil, refuseGraph(131009, "Context message id is invalid.")
	}
	bubble, refused := q.check(g.opt.Templates)
	if refused == nil {
		refused = g.image(bubble)
	}
	if refused != nil {
		return nil, nil, refused
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.opt.Now()
	p := g.addressee(q.To, q.Recipient)
	perSecond := time.Second / time.Duration(max(1, g.opt.PerSecond))
	if !g.throttle.take(now, g.opt.PerSecond, perSecond) {
		return nil, nil, refuseGraph(130429, "")
	}
	open := p != nil && !p.heard.IsZero() && now.Sub(p.heard) < graphWindow
	if !open && q.Template == nil {
		return nil, nil, refuseGraph(131047, "")
	}
	known := p != nil
	if !known { // a template to somebody who never wrote, and whom nobody plays
		n, _ := strconv.ParseInt(digits(q.To), 10, 64)
		p = &graphPerson{phone: n}
		if q.To != "" {
			p = g.person(n)
			p.nextID = max(p.nextID, 101)
			known = true
		}
	}
	if !p.pair.take(now, g.opt.PairBurst, g.opt.PairEvery) {
		return nil, nil, refuseGraph(131056, "")
	}
	plan, failure := g.statuses, 0
	switch {
	case !known:
		failure = 131026
	case len(p.failures) > 0:
		failure = p.failures[0]
		p.failures = p.failures[1:]
	case p.blocked:
		plan = slices.DeleteFunc(slices.Clone(plan), func(s string) bool { return s != "sent" })
	}
	if failure != 0 {
		plan = []string{"failed"}
	}
	g.pending += len(plan)
	p.typing = time.Time{}
	if failure == 0 && !p.blocked && q.Reaction == nil {
		g.add(p, bubble, true)
	} else {
		bubble.person, bubble.Bot, bubble.wamid = p, true, g.wamid(p, true)
		g.mail[bubble.wamid] = bubble
	}
	g.changed()
	said := map[string]any{"id": bubble.wamid}
	if q.Template != nil {
		said["message_status"] = "accepted"
	}
	return map[string]any{
		"messaging_product": "whatsapp", "contacts": []any{contact}, "messages": []any{said},
	}, func() { g.follow(bubble, plan, failure) }, nil
}

// follow reports what became of a message that was taken; these statuses are pending already.
func (g *Graph) follow(m *graphMessage, plan []string, failure int) {
	report := func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		for _, s := range plan {
			g.pending--
			g.report(m, s, failure)
		}
	}
	if g.opt.StatusDelay <= 0 {
		report()
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.workers.Go(func() {
		select {
		case <-time.After(g.opt.StatusDelay):
			report()
		case <-g.stop:
		}
	})
}

// check looks at everything that is in a message, and makes the bubble the person sees.
func (q *graphRequest) check(templates []GraphTemplate) (*graphMessage, *graphRefusal) {
	m := &graphMessage{kind: q.Type}
	media := map[string]*graphMedia{"image": q.Image, "audio": q.Audio, "document": q.Document, "video": q.Video, "sticker": q.Sticker}
	switch q.Type {
	case "", "text":
		if q.Text == nil || q.Text.Body == "" {
			return nil, required("text['body']")
		}
		if utf8.RuneCountInString(q.Text.Body) > 4096 {
			return nil, badType("text['body']", "at most 4096 characters long")
		}
		m.Text = q.Text.Body
	case "interactive":
		if q.Interactive == nil {
			return nil, required("interactive")
		}
		return m, q.Interactive.check(m)
	case "template":
		if q.Template == nil {
			return nil, required("template")
		}
		return m, q.Template.check(m, templates)
	case "reaction":
		switch {
		case q.Reaction == nil:
			return nil, required("reaction")
		case !strings.HasPrefix(q.Reaction.MessageID, "wamid."):
			return nil, refuseGraph(131009, "Reaction message id is invalid.")
		case q.Reaction.Emoji == nil:
			return nil, refuseGraph(131008, "emoji")
		}
	case "image", "audio", "document", "video", "sticker":
		f := media[q.Type]
		if f == nil {
			return nil, required(q.Type)
		}
		m.Text = f.Caption
		if q.Type == "image" {
			m.mediaID = f.ID
		}
		return m, f.check(q.Type)
	default:
		return nil, refuseGraph(131051, "")
	}
	return m, nil
}

func (f *graphMedia) check(kind string) *graphRefusal {
	u, err := url.Parse(f.Link)
	switch {
	case (f.ID == "") == (f.Link == ""):
		return refuseGraph(131009, "Exactly one of id and link must be given for "+kind)
	case f.ID != "" && digits(f.ID) != f.ID:
		return refuseGraph(131009, "Media id is invalid.")
	case f.Link != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https"):
		return refuseGraph(131009, "Media link is invalid.")
	case f.Caption != "" && (kind == "audio" || kind == "sticker"):
		return refuseGraph(131009, "Caption is not supported for "+kind)
	}
	return long("Caption", f.Caption, 0, 1024)
}

// long says that something has the wrong length, in characters.
func long(what, s string, shortest, longest int) *graphRefusal {
	if n := utf8.RuneCountInString(s); n < shortest || n > longest || shortest > 0 && strings.TrimSpace(s) == "" {
		return refuseGraph(131009, fmt.Sprintf("%s length invalid. Min length: %d, Max length: %d", what, shortest, longest))
	}
	return nil
}

// firstOf returns the first refusal.
func firstOf(refusals ...*graphRefusal) *graphRefusal {
	for _, r := range refusals {
		if r != nil {
			return r
		}
	}
	return nil
}

func (i *graphInteractive) check(m *graphMessage) *graphRefusal {
	longest := 1024
	if i.Type == "list" {
		longest = 4096
	}
	switch {
	case i.Body == nil:
		return refuseGraph(131008, "Required parameter is missing: body")
	case i.Action == nil:
		return refuseGraph(131008, "Required parameter is missing: action")
	}
	m.kind, m.Text = i.Type, i.Body.Text
	refused := long("Body text", i.Body.Text, 1, longest)
	if i.Header != nil {
		switch {
		case i.Header.Type == "text":
			m.Text = i.Header.Text + "\n" + m.Text
			refused = firstOf(refused, long("Header text", i.Header.Text, 1, 60))
		case i.Header.Type == "image" && i.Type != "list" && i.Header.Image != nil: // others exist; the bot has none
			m.mediaID = i.Header.Image.ID
			refused = firstOf(refused, i.Header.Image.check("image"))
		default:
			return refuseGraph(131009, "Header type is invalid.")
		}
	}
	if i.Footer != nil {
		m.Text += "\n" + i.Footer.Text
		refused = firstOf(refused, long("Footer text", i.Footer.Text, 1, 60))
	}
	if refused != nil {
		return refused
	}
	switch i.Type {
	case "button":
		return i.checkButtons(m)
	case "list":
		return i.checkList(m)
	case "cta_url":
		return i.checkURL(m)
	case "location_request_message":
		if i.Action.Name != "send_location" {
			return refuseGraph(131009, "Action name is invalid.")
		}
		return nil
	}
	return refuseGraph(131009, "Interactive type is invalid.")
}

func (i *graphInteractive) checkButtons(m *graphMessage) *graphRefusal {
	if n := len(i.Action.Buttons); n < 1 || n > 3 {
		return refuseGraph(131009, "Invalid buttons count. Min allowed buttons: 1, Max allowed buttons: 3")
	}
	for _, b := range i.Action.Buttons {
		if b.Type != "reply" {
			return refuseGraph(131009, "Button type is invalid.")
		}
		if refused := m.offer("Button", graphButton{b.Reply.ID, b.Reply.Title, ""}, 256, 20); refused != nil {
			return refused
		}
	}
	return nil
}

func (i *graphInteractive) checkList(m *graphMessage) *graphRefusal {
	if refused := long("Button label", i.Action.Button, 1, 20); refused != nil {
		return refused
	}
	if n := len(i.Action.Sections); n < 1 || n > 10 {
		return refuseGraph(131009, "Invalid sections count. Min allowed sections: 1, Max allowed sections: 10")
	}
	for _, s := range i.Action.Sections {
		shortest := 0
		if len(i.Action.Sections) > 1 {
			shortest = 1
		}
		if refused := long("Section title", s.Title, shortest, 24); refused != nil {
			return refused
		}
		if len(s.Rows) == 0 {
			return refuseGraph(131009, "Section has no rows.")
		}
		for _, r := range s.Rows {
			refused := firstOf(m.offer("Row", graphButton{r.ID, r.Title, r.Description}, 200, 24), long("Row description", r.Description, 0, 72))
			if refused != nil {
				return refused
			}
		}
	}
	if len(m.buttons) > 10 {
		return refuseGraph(131009, "Total row count exceed max allowed count: 10")
	}
	return nil
}

// offer puts a button, or a row, under a message. No two may have the same id, nor the same title.
func (m *graphMessage) offer(what string, b graphButton, longestID, longestTitle int) *graphRefusal {
	if refused := firstOf(long(what+" title", b.title, 1, longestTitle), long(what+" id", b.id, 1, longestID)); refused != nil {
		return refused
	}
	if strings.TrimSpace(b.id) != b.id {
		return refuseGraph(131009, what+" id has leading or trailing spaces.")
	}
	for _, other := range m.buttons {
		switch {
		case other.id == b.id:
			return refuseGraph(131009, what+" ids must be unique.")
		case other.title == b.title:
			return refuseGraph(131009, what+" titles must be unique.")
		}
	}
	m.buttons = append(m.buttons, b)
	m.Rows = append(m.Rows, []ChatButton{{Title: b.title, Data: b.id}})
	return nil
}

func (i *graphInteractive) checkURL(m *graphMessage) *graphRefusal {
	link := i.Action.Parameters
	u, err := url.Parse(link.URL)
	switch {
	case i.Action.Name != "cta_url":
		return refuseGraph(131009, "Action name is invalid.")
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return refuseGraph(131009, "Button url is invalid.")
	}
	m.Rows = append(m.Rows, []ChatButton{{Title: link.DisplayText, URL: link.URL}})
	return long("Button display_text", link.DisplayText, 1, 20)
}

func (t *graphTemplateRequest) check(m *graphMessage, templates []GraphTemplate) *graphRefusal {
	switch {
	case t.Name == "":
		return refuseGraph(131008, "Required parameter is missing: template name")
	case t.Language.Code == "":
		return refuseGraph(131008, "Required parameter is missing: template language code")
	}
	at := slices.IndexFunc(templates, func(a GraphTemplate) bool { return a.Name == t.Name && a.Language == t.Language.Code })
	if at < 0 {
		return refuseGraph(132001, fmt.Sprintf("template name (%s) does not exist in %s", t.Name, t.Language.Code))
	}
	approved := templates[at]
	m.Text = approved.Body
	for _, title := range approved.Buttons {
		m.buttons = append(m.buttons, graphButton{title, title, ""})
		m.Rows = append(m.Rows, []ChatButton{{Title: title, Data: title}})
	}
	given := 0
	for _, c := range t.Components {
		switch c.Type {
		case "body":
			given = len(c.Parameters)
			for n, p := range c.Parameters {
				if p.Type != "text" || p.Text == "" {
					return refuseGraph(131008, "Required parameter is missing: text of a body parameter")
				}
				m.Text = strings.ReplaceAll(m.Text, fmt.Sprintf("{{%d}}", n+1), p.Text)
			}
		case "button":
			n, err := strconv.Atoi(strings.Trim(string(c.Index), `"`))
			switch {
			case err != nil || n < 0 || n >= len(m.buttons) || c.SubType != "quick_reply":
				return refuseGraph(131009, "Button component is invalid.")
			case len(c.Parameters) != 1 || c.Parameters[0].Type != "payload" || c.Parameters[0].Payload == "":
				return refuseGraph(131008, "Required parameter is missing: payload of a button")
			}
			m.buttons[n].id = c.Parameters[0].Payload
			m.Rows[n][0].Data = c.Parameters[0].Payload
		default:
			return refuseGraph(131009, "Component type is invalid.")
		}
	}
	expected := 0
	for strings.Contains(approved.Body, fmt.Sprintf("{{%d}}", expected+1)) {
		expected++
	}
	if given != expected {
		return refuseGraph(132000, fmt.Sprintf("body: number of localizable_params (%d) does not match the expected number of params (%d)", given, expected))
	}
	return nil
}
