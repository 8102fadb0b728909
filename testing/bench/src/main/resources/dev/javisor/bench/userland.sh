#!/bin/sh
# PID 1 of the measured guest: runs each program, prints one line each, powers off.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t tmpfs tmpfs /tmp
mount -t devtmpfs dev /dev 2>/dev/null
cd /tmp

now() { read -r up rest < /proc/uptime; echo "$up"; }

# row NAME COMMAND...: seconds by the guest's clock
row() {
    name=$1; shift
    start=$(now)
    "$@" > /tmp/out 2>&1 || echo "FAILED $name: $(tail -n 3 /tmp/out)"
    end=$(now)
    echo "ROW $name seconds $(echo "$start $end" | awk '{printf "%.2f", $2 - $1}')"
}

# A mixture that compresses like a file system's contents.
cat /usr/bin/* /usr/lib/x86_64-linux-gnu/*.so* 2>/dev/null | head -c 52428800 > data
sync
row "gzip of 50 MiB" sh -c 'gzip -c data > data.gz'
row "gunzip of 50 MiB" sh -c 'gzip -dc data.gz > /dev/null'
rm -f data.gz
row "xz -1 of 50 MiB" sh -c 'xz -1 -T1 -c data > data.xz'
row "unxz of 50 MiB" sh -c 'xz -dc data.xz > /dev/null'
rm -f data.xz
row "sha256sum of 50 MiB" sha256sum data
row "gcc -O2 of zlib's examples" sh -c 'for f in zran gzlog enough zpipe fitblk gzjoin; do gcc -O2 -c -o a.o /root/examples/$f.c; done'
row "python3: fannkuch and dictionaries" python3 /root/work.py
echo "ROW openssl aes-128-cbc per-second $(openssl speed -mr -seconds 1 -bytes 8192 -evp aes-128-cbc 2>/dev/null | awk -F: '/^\+F/{print $NF}')"
echo "ROW openssl sha256 per-second $(openssl speed -mr -seconds 1 -bytes 8192 -evp sha256 2>/dev/null | awk -F: '/^\+F/{print $NF}')"
echo "ROW openssl rsa2048-sign per-second $(openssl speed -mr -seconds 1 rsa2048 2>/dev/null | awk -F: '/^\+F2/{print $4}')"
echo "ROW openssl ecdsap256-sign per-second $(openssl speed -mr -seconds 1 ecdsap256 2>/dev/null | awk -F: '/^\+F4/{print $4}')"
echo "ROW sysbench cpu per-second $(sysbench cpu --time=5 run | awk '/events per second/{print $4}')"
echo "ROW sysbench memory per-second $(sysbench memory --time=5 --memory-total-size=100T run | awk '/transferred/{gsub(/\(/,"");print $4}')"
echo END
sync
echo o > /proc/sysrq-trigger
sleep 60
