package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"time"

	"llave/bot"
)

// Examination is how a dialogue with the mail server went that came as far as a recipient would be named.
type Examination struct {
	Failed  Stage  // where it ended; empty: it went well
	Reason  string // for the operator; no address, no word of the server
	Answer  int    // the server's, where that ended it
	Signed  bool   // somebody signed in
	TLS     string // the version; empty: the way is not encrypted
	CertEnd time.Time
}

// Examine has a dialogue on a connection of its own, up to MAIL FROM, and says how that went. Health sees nothing of it.
// [returnPath] is as in a Letter.
func (s *Sender) Examine(ctx context.Context, returnPath string) (e Examination) {
	ctx, cancel := context.WithTimeout(ctx, s.opt.SendTimeout)
	defer cancel()
	c, stage, err := s.connect(ctx, func(c *conn) { e.secured(c) })
	if err != nil {
		e.fail(stage, failed(stage, err))
		return e
	}
	defer c.quit()
	defer c.bind(ctx)()
	e.Signed = s.opt.Server.User != ""
	if err := s.mailFrom(c, returnPath, ""); err != nil {
		e.fail(StageFrom, err)
		return e
	}
	_ = c.reset() // whatever comes of it, the sender was taken
	return e
}

// secured notes how the way is encrypted.
func (e *Examination) secured(c *conn) {
	if c.tls == nil {
		return
	}
	state := c.tls()
	e.TLS = tls.VersionName(state.Version)
	if len(state.PeerCertificates) > 0 {
		e.CertEnd = state.PeerCertificates[0].NotAfter
	}
}

func (e *Examination) fail(stage Stage, se *bot.SendError) {
	e.Failed, e.Reason = stage, se.Reason
	var r *Refusal
	if errors.As(se, &r) {
		e.Answer = r.Code
	}
}
