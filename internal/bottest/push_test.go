package bottest_test

import (
	"crypto/ecdh"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"llave/internal/bottest"
)

func raw(t *testing.T, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// RFC 8291, section 5: what reads our messages in tests reads the RFC's.
func TestPush_rfc8291(t *testing.T) {
	key, err := ecdh.P256().NewPrivateKey(raw(t, "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94"))
	if err != nil {
		t.Fatal(err)
	}
	if got := base64.RawURLEncoding.EncodeToString(key.PublicKey().Bytes()); got != "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4" {
		t.Fatalf("public key %s", got)
	}
	body := raw(t, "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN")
	auth := raw(t, "BTBZMqHH6r4Tts7J_aSIgg")
	got, err := bottest.DecryptPush(body, key, auth)
	if err != nil || string(got) != "When I grow up, I want to be a watermelon" {
		t.Errorf("got %q, %v", got, err)
	}
	body[len(body)-1] ^= 1
	if _, err := bottest.DecryptPush(body, key, auth); err == nil {
		t.Error("a message that was changed opens")
	}
}

// RFC 8292, section 2.4.
func TestPush_rfc8292(t *testing.T) {
	const header = "vapid t=eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJhdWQiOiJodHRwczovL3B1c2guZXhhbXBsZS5uZXQiLCJleHAiOjE0NTM1MjM3NjgsInN1YiI6Im1haWx0bzpwdXNoQGV4YW1wbGUuY29tIn0.i3CYb7t4xfxCDquptFOepC9GAu_HLGkMlMuCGSK2rpiUfnK9ojFwDXb1JrErtmysazNjjvW2L9OkSSHzvoD1oA, " +
		"k=BA1Hxzyi1RUM1b5wjxsn7nGxAszw2u61m164i3MrAIxHF6YK5h4SDYic-dRuU_RCPCfA5aq9ojSwk5Y2EmClBPs"
	now := time.Unix(1453523768, 0).Add(-time.Hour)
	v, err := bottest.VerifyVAPID(header, "https://push.example.net", now)
	if err != nil || v.Subject != "mailto:push@example.com" {
		t.Errorf("got %+v, %v", v, err)
	}
	for name, refused := range map[string]struct {
		header, origin string
		at             time.Time
	}{
		"another service's": {header, "https://push.example.org", now},
		"too late":          {header, "https://push.example.net", now.Add(2 * time.Hour)},
		"too long":          {header, "https://push.example.net", now.Add(-48 * time.Hour)},
		"another key's":     {strings.Replace(header, "i3CYb7t4", "i3CYb7t5", 1), "https://push.example.net", now},
	} {
		if _, err := bottest.VerifyVAPID(refused.header, refused.origin, refused.at); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
