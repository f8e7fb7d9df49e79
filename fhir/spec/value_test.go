package spec

import "regexp"

var expressions = map[string]*regexp.Regexp{
	"boolean":     regexp.MustCompile(`^(true|false)$`),
	"unsignedInt": regexp.MustCompile(`^(0|[1-9][0-9]{0,8}|1[0-9]{9}|2147483647)$`),
	"positiveInt": regexp.MustCompile(`^([1-9][0-9]{0,8}|1[0-9]{9}|2147483647)$`),
	"integer":     regexp.MustCompile(`^(0|[-+]?([1-9][0-9]{0,8}|1[0-9]{9}|2147483647)|-2147483648)$`),
	"decimal":     regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`),
	"id":          regexp.MustCompile(`^[A-Za-z0-9\-\.]{1,64}$`),
	"code":        regexp.MustCompile(`^[^\s]+(\s[^\s]+)*$`),
	"oid":         regexp.MustCompile(`^urn:oid:[0-2](\.(0|[1-9][0-9]*))+$`),
	"uuid":        regexp.MustCompile(`^urn:uuid:[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`),
	"uri":         regexp.MustCompile(`^\S+$`),
	"time":        regexp.MustCompile(`^([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)(\.[0-9]+)?$`),
}
