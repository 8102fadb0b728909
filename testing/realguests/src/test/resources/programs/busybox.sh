# shellcheck shell=sh
# Busybox at work on input that is the same everywhere. $1: the binary; $2: a directory to work in.
busybox=$1
cd "$2" || exit 1
b() { "$busybox" "$@"; }
b awk 'BEGIN {
    x = 1
    for (i = 0; i < 3000; i++) {
        x = (x * 16807) % 2147483647
        print x, i, "line", x % 97
    }
}' > input
for sum in sha256sum sha1sum md5sum sha512sum sha3sum; do b $sum input; done
b gzip -c < input > input.gz
b sha256sum < input.gz
b gunzip -c < input.gz | b cmp - input && echo 'gzip comes back'
b bzip2 -c < input > input.bz2
b sha256sum < input.bz2
b bunzip2 -c < input.bz2 | b cmp - input && echo 'bzip2 comes back'
echo 'scale = 40; 4 * a(1); e(1); sqrt(2); l(10); s(1); 2 ^ 300; 10 ^ 40 / 7' | b bc -l
echo '12345678901234567890 98765432109876543210 * p 7 ^ p' | b dc
b awk '{
    n[$4]++
    total += $1 / ($2 + 7) - $2 * 0.1
    wide += $1 / 3
    bits = bits + int($1 / 8) % 16
}
END {
    for (i = 0; i < 97; i += 7) print i, n[i]
    printf "%.9f %.12g %d %e %5.2f|%-8s|%x\n", total, wide, bits, wide, total, "left", 48879
}' input
b sort -n input | b sha256sum
b sort -k4,4n -k1,1r input | b head -n 5
b sort -u -k4,4 input | b wc
b sed -n 's/\([0-9]*\) \([0-9]*\)/\2-\1/;/7 line 5/p' input | b head -n 10
b grep -c 'line [1-3]$' input
b tr 0-9 a-j < input | b cut -c1-20 | b tail -n 3
b base64 input | b tail -n 2
b od -An -tx4 -N 64 input
b xxd input | b tail -n 2
b uuencode input < input | b uudecode -o decoded && b cmp decoded input && echo 'uuencode comes back'
b sed 's/line 4/LINE 4/' input > other
b diff input other | b sha256sum
b tar c input other 2> /dev/null | b tar t
b expr 1234567 '*' 7654321 % 1000
b factor 600851475143 9999999967
b seq 1 3 30 | b paste -s -d+ | b bc
b printf '%08.3f %s %o\n' 3.14159 text 511
