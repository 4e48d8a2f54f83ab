package doctor

import "strings"

// remedies are what to do about a channel's trouble, by words of the reason that a running service gives. The section of its name may
// be all green meanwhile: it asks the platform something else than what the service was refused.
var remedies = []struct{ words, do string }{
	{"another program polls", "stop the other program that has this token, or take LLAVE_TELEGRAM_MODE=webhook"},
	{"set a webhook while we poll", "stop the other program that has this token, or take LLAVE_TELEGRAM_MODE=webhook"},
	{"set to another address", "end the other program that has this token, or take a new token of BotFather (/revoke): it is set back every few minutes"},
	{"bot's token", "put the token into LLAVE_TELEGRAM_TOKEN as BotFather shows it (/mybots, API Token), and give serve the signal HUP"},
	{"access token", "put a new token into LLAVE_WHATSAPP_TOKEN, and give serve the signal HUP"},
	{"account or the number", "see WhatsApp Manager, Account quality and Phone numbers"},
	{"error of its own", "wait: it is the platform's own trouble; its status page may say more"},
	{"cannot be reached", "check the way out of this machine (firewall, proxy, DNS)"},
}

// remedy is what to do about one thing that a running service says is not well. [do] is what it says itself, if anything.
func remedy(part, reason, do string) string {
	switch {
	case part == "mail" && do != "":
		return do + ". `llave doctor --send=mailbox@host` tries it with a letter"
	case part == "mail":
		return "try it with a letter: llave doctor --send=mailbox@host"
	case do != "":
		return do
	}
	for _, r := range remedies {
		if strings.Contains(reason, r.words) {
			return r.do
		}
	}
	return "see the section " + part + " here, and the log of serve"
}
