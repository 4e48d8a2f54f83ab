package bottest

import (
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

func (r *graphRefusal) Error() string { return r.message }

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
	if !ok {
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

func writeGraph(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the bot may have gone
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
	bad := len(body) > 0 && (json.Unmarshal(body, &fields) != nil || fields == nil)
	for k, v := range fields {
		var s string
		if json.Unmarshal(v, &s) != nil {
			s = string(v)
		}
		call.Params[k] = s
	}
	version, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	id, edge, _ := strings.Cut(rest, "/")
	do, missing := g.route(r.Method, version, id, edge, &call)

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

// route finds what a path means and names the call; missing is the id that does not exist.
func (g *Graph) route(method, version, id, edge string, call *BotCall) (do graphMethod, missing string) {
	own := id == g.opt.PhoneNumberID
	switch {
	case edge == "messages" && call.Params["status"] != "":
		call.Method, do = "read", g.markRead
	case edge == "messages":
		call.Method, do = "messages", g.message
	case edge == "subscribed_apps":
		call.Method, do = "subscribed_apps", g.subscription(method)
		own = id == g.opt.AccountID
	case edge == "":
		call.Method, do = "phone_number", g.phoneNumber
	default:
		call.Method = edge
	}
	switch {
	case version != g.opt.Version:
		return nil, version
	case !own:
		return nil, id
	case do == nil, edge == "messages" && method != http.MethodPost, edge == "" && method != http.MethodGet:
		return nil, id
	}
	return do, ""
}

// admit looks at the token. The lock is held.
func (g *Graph) admit(token string) *graphRefusal {
	if slices.Contains(g.tokens, token) {
		return nil
	}
	r := refuseGraph(190, "")
	r.message = graphTextToken
	if g.expired[token] {
		r.message, r.subcode = graphTextExpired, 463
	}
	return r
}

// fault takes the fault that a call meets, or nil. The lock is held.
func (g *Graph) fault(c BotCall) *GraphFault {
	if list := g.faults[c.Method]; len(list) > 0 {
		g.faults[c.Method] = list[1:]
		if list[0] == (GraphFault{}) {
			return nil
		}
		return &list[0]
	}
	for _, a := range g.aimed {
		if a.left > 0 && a.match(c) {
			a.left--
			return &a.fault
		}
	}
	return nil
}

// dawdle waits, unless the bot hangs up before.
func (g *Graph) dawdle(r *http.Request, d time.Duration) {
	if d <= 0 {
		return
	}
	select {
	case <-time.After(d):
	case <-r.Context().Done():
	case <-g.stop:
	}
}

func (g *Graph) record(c BotCall, status int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	c.Status = status
	g.calls = append(g.calls, c)
	g.changed()
}

func (g *Graph) phoneNumber([]byte) (any, func(), *graphRefusal) {
	return map[string]any{
		"id": g.opt.PhoneNumberID, "display_phone_number": g.opt.DisplayPhone, "verified_name": "Bot",
		"code_verification_status": "VERIFIED", "quality_rating": "GREEN", "platform_type": "CLOUD_API",
		"throughput": map[string]any{"level": "STANDARD"},
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

// graphRequest is what a bot may send, with what we look at.
type graphRequest struct {
	MessagingProduct string `json:"messaging_product"`
	RecipientType    string `json:"recipient_type"`
	To, Recipient    string
	Type             string
	Status           string
	MessageID        string `json:"message_id"`
	TypingIndicator  *struct{ Type string }
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
	Type         string
	Header       *struct{ Type, Text string }
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

// UnmarshalJSON of the request: its snake_case members are named above; this one is only here for typing_indicator,
// which stands in no struct tag of its own.
func readGraphRequest(body []byte) (*graphRequest, *graphRefusal) {
	var q struct {
		graphRequest
		Typing *struct{ Type string } `json:"typing_indicator"`
	}
	if err := json.Unmarshal(body, &q); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, badType(wrong.Field, "of another type than "+wrong.Value)
		}
		return nil, badType("body", "a JSON object")
	}
	q.TypingIndicator = q.Typing
	if q.MessagingProduct == "" {
		return nil, required("messaging_product")
	}
	if q.MessagingProduct != "whatsapp" {
		return nil, badType("messaging_product", "one of {WHATSAPP}")
	}
	return &q.graphRequest, nil
}
