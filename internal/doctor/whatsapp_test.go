package doctor

import (
	"testing"
	"time"

	"llave/internal/bottest"
)

const graphCallback = "https://clave.example/webhooks/whatsapp"

// newGraph turns WhatsApp on, with everything as it should be.
func newGraph(t *testing.T, c *clinic) *bottest.Graph {
	t.Helper()
	g := bottest.NewGraph(bottest.GraphOptions{
		Tokens: []string{graphToken}, PhoneNumberID: graphNumber, AppSecret: appSecret, VerifyToken: verifyToken,
		Templates: []bottest.GraphTemplate{{Name: "aviso", Language: "es", Body: "Escríbanos."}, {Name: "aviso_nombre", Language: "es", Body: "Hola, {{1}}."}},
	})
	if err := g.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	g.Administer(bottest.Admin{Callback: graphCallback})
	c.set("LLAVE_PUBLIC_URL=https://clave.example", "LLAVE_WHATSAPP_TOKEN="+graphToken, "LLAVE_WHATSAPP_PHONE_NUMBER_ID="+graphNumber,
		"LLAVE_WHATSAPP_APP_SECRET="+appSecret, "LLAVE_WHATSAPP_VERIFY_TOKEN="+verifyToken, "LLAVE_WHATSAPP_API_URL="+g.URL(), "LLAVE_WHATSAPP_TEMPLATE=aviso")
	return g
}

func TestWhatsApp(t *testing.T) {
	admin := func(a bottest.Admin) func(*clinic, *bottest.Graph) {
		return func(_ *clinic, g *bottest.Graph) { g.Administer(a) }
	}
	set := func(env ...string) func(*clinic, *bottest.Graph) {
		return func(c *clinic, _ *bottest.Graph) { c.set(env...) }
	}
	in := func(days int) int64 { return time.Now().Add(time.Duration(days)*24*time.Hour + time.Hour).Unix() }
	for name, tt := range map[string]struct {
		change func(*clinic, *bottest.Graph)
		check  string
		want   Status
		words  string
	}{
		"tokens":                   {nil, "tokens", Green, "1 accepted"},
		"one of two refused":       {set("LLAVE_WHATSAPP_TOKEN=EAAold-token-of-last-year," + graphToken), "tokens", Yellow, "1 of 2 are refused"},
		"with one refused":         {set("LLAVE_WHATSAPP_TOKEN=EAAold-token-of-last-year," + graphToken), "subscription", Green, ""},
		"all refused":              {func(_ *clinic, g *bottest.Graph) { g.SetTokens() }, "tokens", Red, "none of 1 is accepted"},
		"another number":           {set("LLAVE_WHATSAPP_PHONE_NUMBER_ID=1"), "tokens", Red, "none of 1 is accepted"},
		"another version":          {set("LLAVE_WHATSAPP_API_VERSION=v1.0"), "tokens", Red, ""},
		"away":                     {func(c *clinic, g *bottest.Graph) { c.report(Check); g.Down() }, "tokens", Red, "cannot be asked"},
		"number":                   {nil, "number", Green, "15550783881"},
		"number flagged":           {admin(bottest.Admin{Status: "FLAGGED"}), "number", Yellow, "FLAGGED"},
		"number banned":            {admin(bottest.Admin{Status: "BANNED"}), "number", Red, "BANNED"},
		"quality":                  {nil, "quality", Green, "high"},
		"quality unknown":          {admin(bottest.Admin{Quality: "UNKNOWN"}), "quality", Green, "not known"},
		"quality medium":           {admin(bottest.Admin{Quality: "YELLOW"}), "quality", Yellow, "medium"},
		"quality low":              {admin(bottest.Admin{Quality: "RED"}), "quality", Red, "low"},
		"permissions":              {nil, "permissions", Green, "does not end"},
		"no messages":              {admin(bottest.Admin{Scopes: []string{"whatsapp_business_management"}}), "permissions", Red, "may not write"},
		"no management":            {admin(bottest.Admin{Scopes: []string{"whatsapp_business_messaging"}}), "permissions", Yellow, "not be asked"},
		"ends in a year":           {admin(bottest.Admin{Ends: in(365)}), "permissions", Green, "365 days"},
		"ends in ten days":         {admin(bottest.Admin{Ends: in(10)}), "permissions", Yellow, "10 days"},
		"ends in two days":         {admin(bottest.Admin{Ends: in(2)}), "permissions", Red, "2 days"},
		"may not be asked":         {func(_ *clinic, g *bottest.Graph) { g.Fail("debug_token", 1, bottest.GraphFault{Code: 10}) }, "permissions", Yellow, "not known"},
		"app secret":               {nil, "app secret", Green, graphCallback},
		"app secret wrong":         {set("LLAVE_WHATSAPP_APP_SECRET=some-other-app-secret"), "app secret", Red, "not accepted"},
		"callback elsewhere":       {admin(bottest.Admin{Callback: "https://other.example/webhooks/whatsapp"}), "app secret", Red, "another address"},
		"callback without field":   {admin(bottest.Admin{Fields: []string{"account_update"}}), "app secret", Red, "bring no messages"},
		"callback not known":       {func(_ *clinic, g *bottest.Graph) { g.Fail("subscriptions", 1, bottest.GraphFaultServerError) }, "app secret", Yellow, "could not be tried"},
		"account":                  {nil, "account", Green, "known"},
		"account may not be asked": {func(_ *clinic, g *bottest.Graph) { g.Fail("phone_numbers", 2, bottest.GraphFault{Code: 200}) }, "account", Yellow, "cannot be asked"},
		"subscription":             {nil, "subscription", Green, "hears"},
		"not subscribed":           {func(_ *clinic, g *bottest.Graph) { g.Unsubscribe() }, "subscription", Red, "not subscribed"},
		"subscription not known":   {func(_ *clinic, g *bottest.Graph) { g.Fail("subscribed_apps", 1, bottest.GraphFaultServerError) }, "subscription", Yellow, "not known"},
		"template":                 {nil, "template", Green, "aviso:es is approved"},
		"template missing":         {set("LLAVE_WHATSAPP_TEMPLATE=otro"), "template", Red, "there is no otro:es"},
		"template in English":      {set("LLAVE_WHATSAPP_TEMPLATE=aviso:en"), "template", Red, "there is no aviso:en"},
		"template pending":         {admin(bottest.Admin{TemplateStatus: map[string]string{"aviso:es": "PENDING"}}), "template", Yellow, "not approved yet"},
		"template paused":          {admin(bottest.Admin{TemplateStatus: map[string]string{"aviso:es": "PAUSED"}}), "template", Red, "PAUSED"},
		"template to be filled":    {set("LLAVE_WHATSAPP_TEMPLATE=aviso_nombre"), "template", Red, "places to fill in"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClinic(t)
			g := newGraph(t, c)
			if tt.change != nil {
				tt.change(c, g)
			}
			c.finds("whatsapp", tt.check, tt.want, tt.words)
		})
	}
	newClinic(t).lacks("whatsapp", "tokens")
}
