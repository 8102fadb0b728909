"""A Python benchmark: permutations, dictionaries, strings, floats."""


def fannkuch(n):
    p = list(range(n))
    q = [0] * n
    best = checksum = sign = 0
    r = n
    while True:
        while r != 1:
            q[r - 1] = r
            r -= 1
        if p[0] != 0:
            s = p[:]
            flips = 0
            k = s[0]
            while k != 0:
                s[: k + 1] = s[k::-1]
                flips += 1
                k = s[0]
            best = max(best, flips)
            checksum += flips if sign == 0 else -flips
        sign ^= 1
        while True:
            if r == n:
                return checksum, best
            p.insert(r, p.pop(0))
            q[r] -= 1
            if q[r] > 0:
                break
            r += 1


def words(n):
    counts = {}
    for i in range(n):
        key = "w%d" % (i * 7919 % 10007)
        counts[key] = counts.get(key, 0) + 1
    return sum(sorted(counts.values())[:100])


def series(n):
    total = 0.0
    for i in range(1, n):
        total += 1.0 / (i * i)
    return total


print(fannkuch(8), words(300000), series(1000000))
