package flows

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
)

// pattern is a regular expression that few texts match. Most are told apart by parts one of which stands in every match: to look
// for those takes a tenth of the time.
type pattern struct {
	*regexp.Regexp
	parts []string // empty: not known
}

func newPattern(expr string) pattern {
	p := pattern{Regexp: regexp.MustCompile(expr)}
	if parsed, err := syntax.Parse(expr, syntax.Perl); err == nil {
		p.parts = needed(parsed)
	}
	slices.Sort(p.parts)
	all := slices.Compact(slices.Clone(p.parts))
	p.parts = slices.DeleteFunc(slices.Clone(all), func(part string) bool { // a shorter one says it too
		return slices.ContainsFunc(all, func(other string) bool { return other != part && strings.Contains(part, other) })
	})
	return p
}

// may says whether the pattern may match at all.
func (p pattern) may(text string) bool {
	return len(p.parts) == 0 || slices.ContainsFunc(p.parts, func(part string) bool { return strings.Contains(text, part) })
}

// MatchString is that of the regular expression.
func (p pattern) MatchString(text string) bool { return p.may(text) && p.Regexp.MatchString(text) }

// ReplaceAllString is that of the regular expression.
func (p pattern) ReplaceAllString(text, with string) string {
	if !p.may(text) {
		return text
	}
	return p.Regexp.ReplaceAllString(text, with)
}

// needed are texts one of which stands in whatever an expression matches; nil: there are none.
func needed(re *syntax.Regexp) (parts []string) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase == 0 {
			return []string{string(re.Rune)}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return needed(re.Sub[0])
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			some := needed(sub)
			if some == nil {
				return nil
			}
			parts = append(parts, some...)
		}
	case syntax.OpConcat: // the part that is the rarest, which is the longest
		for _, sub := range re.Sub {
			if some := needed(sub); some != nil && shortest(some) > shortest(parts) {
				parts = some
			}
		}
	}
	return parts
}

func shortest(parts []string) int {
	if len(parts) == 0 {
		return 0
	}
	return len(slices.MinFunc(parts, func(a, b string) int { return len(a) - len(b) }))
}
