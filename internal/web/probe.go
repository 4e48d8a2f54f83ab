package web

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"llave/internal/secret"
)

// ProbeHeader is how `llave doctor` asks the public address what became of its request on the way, and how it is told.
const ProbeHeader = "Llave-Doctor"

// probeFor is how far the clocks of who asks and who answers may be apart.
const probeFor = 10 * time.Minute

// Seen is what a process saw of a request: through which hands it came.
type Seen struct {
	Peer      string `json:"peer"`      // who connected to us
	Trusted   bool   `json:"trusted"`   // it is one of LLAVE_TRUSTED_PROXIES
	Forwarded string `json:"forwarded"` // X-Forwarded-For, as it came
	Client    string `json:"client"`    // whom limits per address count
}

// Probe is a question that only who has the secret key can ask.
type Probe struct{ header, nonce string }

// NewProbe makes a question.
func NewProbe(keys secret.Keys, now time.Time) Probe {
	b := make([]byte, 16)
	rand.Read(b)
	nonce := hex.EncodeToString(b)
	text := strconv.FormatInt(now.Unix(), 10) + "." + nonce
	return Probe{text + "." + keys.Sign("probe", text), nonce}
}

// Ask puts the question into a request.
func (p Probe) Ask(r *http.Request) { r.Header.Set(ProbeHeader, p.header) }

// ErrNotOurs is what Read returns for an answer that is not signed with our key.
var ErrNotOurs = errors.New("the answer is not of a llave with this secret key")

// Read takes the answer out of a response.
func (p Probe) Read(keys secret.Keys, h http.Header) (s Seen, err error) {
	told, mark, _ := strings.Cut(h.Get(ProbeHeader), ".")
	if !keys.Signed("probe answer", p.nonce+"."+told, mark) {
		return s, ErrNotOurs
	}
	raw, err := base64.RawURLEncoding.DecodeString(told)
	if err != nil || json.Unmarshal(raw, &s) != nil {
		return s, ErrNotOurs
	}
	return s, nil
}

// Probed answers questions of NewProbe beside what is asked for. What it tells is signed, and told to nobody without the key.
func (k *Kit) Probed(keys secret.Keys, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked := r.Header.Get(ProbeHeader); asked != "" {
			if nonce, ok := asks(keys, asked, time.Now()); ok {
				w.Header().Set(ProbeHeader, k.tell(keys, nonce, r))
			}
		}
		next.ServeHTTP(w, r)
	})
}

// asks reads a question.
func asks(keys secret.Keys, header string, now time.Time) (nonce string, ok bool) {
	at, rest, _ := strings.Cut(header, ".")
	nonce, mark, _ := strings.Cut(rest, ".")
	seconds, err := strconv.ParseInt(at, 10, 64)
	if err != nil || now.Sub(time.Unix(seconds, 0)).Abs() > probeFor {
		return "", false
	}
	return nonce, keys.Signed("probe", at+"."+nonce, mark)
}

func (k *Kit) tell(keys secret.Keys, nonce string, r *http.Request) string {
	peer := k.peer(r)
	raw, err := json.Marshal(Seen{peer.String(), k.trusted(peer), strings.Join(r.Header.Values("X-Forwarded-For"), ","), k.Addr(r).String()})
	if err != nil {
		panic(err) // texts
	}
	told := base64.RawURLEncoding.EncodeToString(raw)
	return told + "." + keys.Sign("probe answer", nonce+"."+told)
}
