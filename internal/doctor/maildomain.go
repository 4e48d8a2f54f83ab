package doctor

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"llave/internal/address"
)

// mailDomain are checks of what the world is told in DNS about who may send in the name of the sender's domain. None is red but for
// what is broken there: letters are taken without any of it, and fewer arrive in the inbox.
func (d *doctor) mailDomain(s *section) {
	from, err := address.Sender(d.Config.MailFrom)
	if err != nil {
		return // the settings say so
	}
	_, domain, _ := strings.Cut(from.Address, "@")
	if !strings.Contains(domain, ".") {
		s.add("SPF", warn("set LLAVE_MAIL_FROM to an address of the institution's", "not looked up: %s is no domain of the internet", domain))
		return
	}
	envelope := domain
	if d.Config.BounceDomain != "" {
		envelope = d.Config.BounceDomain
	}
	s.check("SPF", func(ctx context.Context) result { return d.spf(ctx, envelope) })
	s.check("DKIM", func(ctx context.Context) result { return d.dkim(ctx, domain) })
	s.check("DMARC", func(ctx context.Context) result { return d.dmarc(ctx, domain) })
	if d.Config.BounceDomain != "" {
		s.check("reports come to", func(ctx context.Context) result { return d.bounceDomain(ctx, d.Config.BounceDomain) })
	}
	if _, to, ok := strings.Cut(strings.Trim(d.Config.ReportTo, "<>"), "@"); ok {
		s.check("report to", func(ctx context.Context) result { return d.takesMail(ctx, to) })
	}
}

// errSilent is a name server that does not answer, unlike one that knows of nothing.
var errSilent = errors.New("DNS does not answer")

// texts are a name's TXT records that begin with a tag.
func (d *doctor) texts(ctx context.Context, name, tag string) ([]string, error) {
	all, err := d.Resolver.LookupTXT(ctx, name)
	var dns *net.DNSError
	if err != nil && (!errors.As(err, &dns) || !dns.IsNotFound) {
		return nil, errSilent
	}
	return slices.DeleteFunc(all, func(t string) bool {
		return !strings.EqualFold(t, tag) && !strings.HasPrefix(strings.ToLower(t), strings.ToLower(tag)+" ") && !strings.HasPrefix(strings.ToLower(t), strings.ToLower(tag)+";")
	}), nil
}

func silent(name string) result {
	return warn("look at this machine's DNS, or look it up elsewhere", "not known: DNS does not answer for %s", name)
}

func (d *doctor) spf(ctx context.Context, domain string) result {
	records, err := d.texts(ctx, domain, "v=spf1")
	switch {
	case err != nil:
		return silent(domain)
	case len(records) == 0:
		return warn(fmt.Sprintf("publish a TXT record at %s: v=spf1, the mail server's addresses, -all", domain), "%s does not say who may send for it", domain)
	case len(records) > 1:
		return bad("make one of them: with two, receivers count neither", "%s has %d SPF records", domain, len(records))
	}
	return spfResult(domain, strings.Fields(strings.ToLower(records[0]))[1:])
}

// spfResult judges the terms of a record by how it ends.
func spfResult(domain string, terms []string) result {
	end := "?all"
	for _, t := range terms {
		switch {
		case t == "all":
			end = "+all"
		case strings.HasSuffix(t, "all") && len(t) == 4:
			end = t
		case strings.HasPrefix(t, "redirect="):
			return good("%s goes by %s", domain, strings.TrimPrefix(t, "redirect="))
		}
	}
	switch end {
	case "+all":
		return bad("end the record with -all or ~all", "%s lets everybody send for it", domain)
	case "?all":
		return warn("end the record with -all or ~all", "%s does not say what to do with what others send for it", domain)
	}
	return good("%s says who may send for it, and ends with %s", domain, end)
}

// selectors are names under which mail servers usually publish their key: which one is used stands in each letter alone.
var selectors = []string{
	"default", "dkim", "mail", "smtp", "email", "google", "selector1", "selector2", "s1", "s2", "k1", "k2", "k3", "key1", "key2",
	"zoho", "mandrill", "mxvault", "sm", "pm", "everlytickey1", "dkim1", "dkim2", "llave",
}

func (d *doctor) dkim(ctx context.Context, domain string) result {
	for _, selector := range selectors {
		name := selector + "._domainkey." + domain
		all, err := d.Resolver.LookupTXT(ctx, name)
		var dns *net.DNSError
		if err != nil && (!errors.As(err, &dns) || !dns.IsNotFound) {
			return silent(name)
		}
		for _, record := range all {
			if r := dkimResult(selector, record); r.status != "" {
				return r
			}
		}
	}
	return warn("see whether the mail server signs: llave doctor --send, then look for dkim=pass in what arrives", "no key under the usual names; it may have another")
}

// dkimResult judges what stands under a selector; no result where that is no key.
func dkimResult(selector, record string) result {
	tags := map[string]string{}
	for part := range strings.SplitSeq(record, ";") {
		name, value, ok := strings.Cut(part, "=")
		if ok {
			tags[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	public, isKey := tags["p"]
	switch {
	case !isKey || tags["v"] != "" && !strings.EqualFold(tags["v"], "DKIM1"):
		return result{}
	case public == "":
		return bad("publish the key that the mail server signs with", "the key %q was taken back", selector)
	case strings.Contains(tags["t"], "y"):
		return warn("take t=y out once letters pass", "the key %q is for testing: receivers take its signature for none", selector)
	}
	return good("there is a key %q", selector)
}

// dmarc looks at the domain and then at those above it, as receivers do.
func (d *doctor) dmarc(ctx context.Context, domain string) result {
	for at := domain; strings.Contains(at, "."); _, at, _ = strings.Cut(at, ".") {
		records, err := d.texts(ctx, "_dmarc."+at, "v=DMARC1")
		switch {
		case err != nil:
			return silent("_dmarc." + at)
		case len(records) > 1:
			return bad("make one of them: with two, receivers count neither", "%s has %d DMARC records", at, len(records))
		case len(records) == 1:
			return dmarcResult(at, records[0], at != domain)
		}
	}
	return warn(fmt.Sprintf("publish a TXT record at _dmarc.%s: v=DMARC1; p=quarantine; rua=mailto:…", domain), "%s does not say what to do with what others send in its name", domain)
}

func dmarcResult(domain, record string, below bool) result {
	policy, sub := "", ""
	for part := range strings.SplitSeq(strings.ToLower(record), ";") {
		name, value, _ := strings.Cut(part, "=")
		switch strings.TrimSpace(name) {
		case "p":
			policy = strings.TrimSpace(value)
		case "sp":
			sub = strings.TrimSpace(value)
		}
	}
	if below && sub != "" {
		policy = sub
	}
	switch policy {
	case "quarantine", "reject":
		return good("%s: %s", domain, policy)
	case "none":
		return warn("once SPF and DKIM pass, make it p=quarantine: letters in the institution's name are a way to steal keys", "%s asks receivers to do nothing", domain)
	}
	return bad("mend the record: p=none, quarantine or reject", "%s has a DMARC record without a policy", domain)
}

// bounceDomain says whether delivery reports find their way.
func (d *doctor) bounceDomain(ctx context.Context, domain string) result {
	r := d.takesMail(ctx, domain)
	if r.status == Red {
		r.do = "publish an MX record for LLAVE_MAIL_BOUNCE_DOMAIN that leads to LLAVE_BOUNCE_ADDR (docs/mail.md)"
	}
	return r
}

// takesMail says whether mail to a domain leads anywhere.
func (d *doctor) takesMail(ctx context.Context, domain string) result {
	servers, err := d.Resolver.LookupMX(ctx, domain)
	var dns *net.DNSError
	switch {
	case err == nil && len(servers) == 1 && servers[0].Host == ".":
		return bad("name another mailbox", "%s takes no mail", domain)
	case err == nil:
		return good("%s has %d mail servers", domain, len(servers))
	case !errors.As(err, &dns) || !dns.IsNotFound:
		return silent(domain)
	}
	if _, err := d.Resolver.LookupHost(ctx, domain); err == nil {
		return good("%s takes mail itself", domain)
	}
	return bad("name another mailbox, or mend the domain's DNS", "%s has no mail server", domain)
}
