package unlock

import (
	"context"
	"crypto/subtle"
	"slices"
)

// linkToken is the token of the link in the letters that a conversation asked for. The first one's is what all have in
// common; another's goes on with a tag.
func (s *Service) linkToken(a *Attempt, conv string) string {
	token := beginning(s.Vault.DeriveBy(a.KeyID, "link", a.ID), a.Link, s.hashLink)
	if conv == "" || slices.Index(a.Convs, conv) <= 0 {
		return token
	}
	return token + s.chatTag(a, conv)
}

// chatTag tells one chat's link from another's.
func (s *Service) chatTag(a *Attempt, conv string) string {
	return s.Vault.DeriveBy(a.KeyID, "link-chat", a.ID+"|"+conv)[:tagSize]
}

// Sizes of a token's parts, in characters of base64url. 128 bits are enough to be unguessable, and so short that a link stays in one line
// of a letter. The version before had all 256 of what is derived: its letters are still about, and their "No fui yo" works for seven days.
const (
	tokenSize = 22
	longSize  = 43
	tagSize   = 8
)

// beginning is what tokens begin with that are derived alike. The document keeps its hash: where a version before wrote that, it is of the
// whole.
func beginning(derived, kept string, hash func(string) string) string {
	if kept == hash(derived) {
		return derived
	}
	return derived[:tokenSize]
}

// token is one taken apart, of a link or of a "No fui yo".
type token struct {
	begins []string // what it may be found by, the likeliest first; none: it is no token
	tag    string   // what stands behind that; "" where nothing does
}

// cutToken parts a token by its length.
func cutToken(text string) (t token) {
	switch len(text) {
	case tokenSize + tagSize, longSize + tagSize:
		text, t.tag = text[:len(text)-tagSize], text[len(text)-tagSize:]
	}
	switch len(text) {
	case longSize:
		t.begins = []string{text[:tokenSize], text}
	case tokenSize:
		t.begins = []string{text}
	}
	return t
}

// is says whether the hash that a document keeps is the token's.
func (t token) is(kept string, hash func(string) string) bool {
	return slices.ContainsFunc(t.begins, func(b string) bool { return hash(b) == kept })
}

// findBy returns the document that keeps the token's hash in a field, or nil.
func (s *Service) findBy(ctx context.Context, field string, t token, hash func(string) string) (*Document, error) {
	for _, b := range t.begins {
		if d, err := s.Documents.FindBy(ctx, field, hash(b)); d != nil || err != nil {
			return d, err
		}
	}
	return nil, nil
}

// asker is the conversation whose letters bear a tag; "" when there is none.
func (s *Service) asker(a *Attempt, tag string) string {
	for i, conv := range a.Convs {
		if tag == "" && i == 0 || tag != "" && i > 0 && subtle.ConstantTimeCompare([]byte(tag), []byte(s.chatTag(a, conv))) == 1 {
			return conv
		}
	}
	return ""
}

// notMeToken is the token of the "No fui yo" in an attempt's letters of a language: what all of the document have in common, and the
// attempt's tag.
func (s *Service) notMeToken(a *Attempt, lang string) string {
	return beginning(s.notMeDerived(a), a.NotMe, s.hashNotMe) + s.notMeTag(a, lang)
}

func (s *Service) notMeDerived(a *Attempt) string {
	key, of := a.notMe()
	return s.Vault.DeriveBy(key, "not-me", of)
}

// notMeTag says whose "No fui yo" it is, and in which language its page speaks.
func (s *Service) notMeTag(a *Attempt, lang string) string {
	id := a.ID
	if lang != "" {
		id += "|" + lang
	}
	return s.Vault.DeriveBy(a.KeyID, "not-me-attempt", id)[:tagSize]
}

// notMeLang says whether a tag is the attempt's, and in which language the letter was.
func (s *Service) notMeLang(a *Attempt, tag string) (lang string, is bool) {
	if tag == "" {
		return "", !a.Tagged
	}
	for _, lang := range a.langs() {
		if subtle.ConstantTimeCompare([]byte(tag), []byte(s.notMeTag(a, lang))) == 1 {
			return lang, true
		}
	}
	return "", false
}

func (s *Service) hashLink(token string) string  { return s.Vault.Hash("link", token) }
func (s *Service) hashNotMe(token string) string { return s.Vault.Hash("not-me", token) }
func (s *Service) hashNonce(nonce string) string { return s.Vault.Hash("nonce", nonce) }
