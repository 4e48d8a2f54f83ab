package doctor

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"llave/internal/address"
	"llave/internal/config"
)

// settings are checks of what the settings say together; what is wrong in one alone is refused when they are read.
func (d *doctor) settings(s *section) {
	for _, c := range []struct {
		name string
		try  func(config.Config) result
	}{
		{"channels", channels}, {"public address", publicURL}, {"proxies", proxies}, {"sender", sender}, {"privacy notice", privacyNotice},
	} {
		s.check(c.name, func(context.Context) result { return c.try(d.Config) })
	}
	for _, w := range d.Config.Unsafe() {
		if w.Setting != proxiesSetting { // "proxies" says it
			s.add(w.Setting, warn(w.Do, "%s", w.What))
		}
	}
	s.check("time zone", func(context.Context) result { return d.zone() })
}

func channels(c config.Config) result {
	var on []string
	if c.TelegramToken != "" {
		on = append(on, "Telegram by "+string(c.TelegramMode))
	}
	if c.WhatsApp.On() {
		on = append(on, "WhatsApp")
	}
	if len(on) == 0 {
		return warn("set LLAVE_TELEGRAM_TOKEN, or the four LLAVE_WHATSAPP_… settings", "no channel is on: nobody can write to the bot")
	}
	return good("%s", strings.Join(on, ", "))
}

func publicURL(c config.Config) result {
	if config.Loopback(c.PublicURL.Hostname()) {
		return warn("set LLAVE_PUBLIC_URL to the address that people reach", "%s leads to this machine: links in letters open nowhere else", c.PublicURL)
	}
	return good("%s", c.PublicURL)
}

const proxiesSetting = "LLAVE_TRUSTED_PROXIES"

func proxies(c config.Config) result {
	everybody := slices.ContainsFunc(c.TrustedProxies, func(p netip.Prefix) bool { return p.Bits() == 0 })
	warnings := c.Unsafe()
	unsafe := slices.IndexFunc(warnings, func(w config.Warning) bool { return w.Setting == proxiesSetting })
	switch {
	case everybody:
		return bad("name the proxies alone in LLAVE_TRUSTED_PROXIES", "everybody is a trusted proxy: whoever writes X-Forwarded-For is believed, and no limit per address holds")
	case unsafe >= 0:
		return warn(warnings[unsafe].Do, "%s", warnings[unsafe].What)
	case len(c.TrustedProxies) == 0:
		return good("none")
	}
	return good("%d trusted", len(c.TrustedProxies))
}

// privacyNotice looks for what the law wants in the notice and nobody but the institution knows (LOPDP 12, 8 and 9).
func privacyNotice(c config.Config) result {
	switch {
	case c.PrivacyAddress == "":
		do, not := "set LLAVE_PRIVACY_ADDRESS to the institution's legal address", "the privacy notice does not say where who answers for the data lives"
		if c.PrivacyOfficer == "" {
			do, not = do+", and LLAVE_PRIVACY_OFFICER to how its data protection officer is reached", not+", nor who protects data there"
		}
		return warn(do, "%s", not)
	case c.PrivacyOfficer == "":
		return warn("set LLAVE_PRIVACY_OFFICER to how the data protection officer is reached", "the privacy notice does not say who protects data at the institution")
	}
	return good("says who answers for the data, and who protects them")
}

func sender(c config.Config) result {
	from, err := address.Sender(c.MailFrom)
	if err != nil {
		return bad("set LLAVE_MAIL_FROM to Name <mailbox@host>", "the sender is no address")
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	if !strings.Contains(domain, ".") {
		return warn("set LLAVE_MAIL_FROM to an address of the institution's", "letters are from a mailbox at %s, which no other mail server takes for a sender", domain)
	}
	return good("a mailbox at %s", domain)
}

// ofEcuador are the zones that people of the institute live in.
var ofEcuador = []string{"America/Guayaquil", "Pacific/Galapagos"}

func (d *doctor) zone() result {
	zone := d.Config.Timezone
	now := d.Now().In(zone).Format("15:04")
	if !slices.Contains(ofEcuador, zone.String()) {
		return warn("set LLAVE_TIMEZONE=America/Guayaquil, unless people live elsewhere", "people are told the hours of %s, where it is %s now", zone, now)
	}
	return good("%s, where it is %s now", zone, now)
}
