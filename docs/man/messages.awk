# SPDX-License-Identifier: BSD-2-Clause
# The numbers of include/shunt_msg.h as scdoc: a heading for each enum, an item for each name.
function escaped(s) { gsub(/[\\_*#<>`~+-]/, "\\\\&", s); return s }
function flush() {
	if (name == "") return
	sub(/\*\/.*/, "", text); gsub(/[ \t]+/, " ", text); gsub(/ \* /, " ", text)
	sub(/^ /, "", text); sub(/ $/, "", text)
	printf "*%s* = %s\n", escaped(name), value
	if (text != "") printf "\t%s\n", escaped(text)
	print ""
	name = ""
}
/^enum shunt_/ { flush(); sub(/ \{.*/, ""); printf "\n## %s\n\n", $0; inside = 1; next }
/^};/ { flush(); inside = 0; next }
!inside { next }
{
	line = $0
	if (match(line, /^\t[A-Z_0-9]+ =$/)) { flush(); name = substr(line, 2, RLENGTH - 3); value = ""; text = ""; next }
	if (name != "" && value == "" && match(line, /^\t\t[0-9]+,/)) {
		value = substr(line, 3, RLENGTH - 3); rest = substr(line, RLENGTH + 1)
	} else if (match(line, /^\t[A-Z_0-9]+ = [0-9]+,/)) {
		flush()
		split(substr(line, 2, RLENGTH - 2), pair, " = ")
		name = pair[1]; value = pair[2]; text = ""; rest = substr(line, RLENGTH + 1)
	} else if (name != "" && in_text) { sub(/^[ \t]*\*?/, "", line); text = text " " line; if (line ~ /\*\//) in_text = 0; next }
	else if (line ~ /^\t\/\*/) { flush(); next }
	else next
	if (match(rest, /\/\*/)) { text = substr(rest, RSTART + 2); in_text = rest !~ /\*\// }
}
