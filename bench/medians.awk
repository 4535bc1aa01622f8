# SPDX-License-Identifier: BSD-3-Clause
#
# Reads lines "peer workload param value unit" of several runs.  Prints the median for each
# peer, workload and param, peer by peer, in the order of their first appearance.  Then prints
# ratios: evlock's times to those of `ruler` or, in W6, W7 and E1 to E3, to those of every
# peer; and evlock's time for a grant in the longest convoy to that in one of 1000.

NF != 5 || $4 !~ /^-?[0-9]+(\.[0-9]+)?$/ {
	print "bench: not a result: " $0 > "/dev/stderr"
	is_bad = 1
	exit 1
}

{
	key = $1 " " $2 " " $3
	if (!(key in count)) {
		keys[++n_keys] = key
		unit[key] = $5
	}
	if (!($1 in seen)) {
		seen[$1] = 1
		peers[++n_peers] = $1
	}
	value[key, ++count[key]] = $4 + 0
}

function sort(key,	i, j, kept)
{
	for (i = 2; i <= count[key]; i++) {
		kept = value[key, i]
		for (j = i - 1; j > 0 && value[key, j] > kept; j--)
			value[key, j + 1] = value[key, j]
		value[key, j + 1] = kept
	}
}

function median(key,	n)
{
	n = count[key]
	sort(key)
	return (value[key, int((n + 1) / 2)] + value[key, int(n / 2) + 1]) / 2
}

function print_peer(peer,	i)
{
	for (i = 1; i <= n_keys; i++)
		if (index(keys[i], peer " ") == 1)
			printf "%s %.2f %s\n", keys[i], middle[keys[i]], unit[keys[i]]
}

function print_ratio(what, over, under)
{
	if ((over in middle) && (under in middle) && middle[under] > 0)
		printf "ratio %s %.2f x\n", what, middle[over] / middle[under]
}

# Workloads of two threads, processes or machines: evlock beside every peer that has them.
function print_ratios(what,	i)
{
	for (i = 1; i <= n_peers; i++)
		if (peers[i] != "evlock")
			print_ratio(what "/" peers[i], "evlock " what, peers[i] " " what)
}

END {
	if (is_bad)
		exit 1
	for (i = 1; i <= n_keys; i++)
		middle[keys[i]] = median(keys[i])
	for (i = 1; i <= n_peers; i++)
		print_peer(peers[i])
	for (i = 1; i <= n_keys; i++) {
		what = substr(keys[i], index(keys[i], " ") + 1)
		if (keys[i] == "evlock " what && unit[keys[i]] ~ /^ns/)
			print_ratio(what, keys[i], ruler " " what)
		if (keys[i] ~ /^evlock (W[67]|E[123])/)
			print_ratios(what)
	}
	print_ratio("W2 1000000/1000", "evlock W2 1000000", "evlock W2 1000")
}
