# SPDX-License-Identifier: BSD-2-Clause
# configs/shunt.yaml, where each key stands with its comment, as scdoc: comments become text, lists of
# words within them and what is YAML stay as they are.
function escaped(s) { gsub(/[\\_*#<>`~+-]/, "\\\\&", s); return s }
function literal(on) { if (on != is_literal) print "```"; is_literal = on }
/^[ ]*#/ {
	literal(0)
	line = $0
	sub(/^[ ]*# ?/, "", line)
	if (!in_comment) { print ""; ended = 1 }
	in_comment = 1
	if (line ~ /^  / || line ~ /^[a-z_0-9]+: *[^ ]*$/ || line ~ /^- \{/) {
		print ""; literal(1); sub(/^  /, "", line); print line; literal(0); print ""
	} else if (line == "") print ""
	else {
		if (ended && match(line, /^[a-z_0-9]+(, [a-z_0-9]+)*: /)) {
			keys = substr(line, 1, RLENGTH - 2)
			print ""
			print "*" escaped(keys) "*: " escaped(substr(line, RLENGTH + 1))
		} else print escaped(line)
	}
	ended = line == "" || line ~ /[.]$/
	next
}
/^$/ { literal(0); print ""; in_comment = 0; next }
{ if (!is_literal) print ""; literal(1); in_comment = 0; print }
END { literal(0) }
