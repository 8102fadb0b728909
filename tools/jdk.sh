# shellcheck shell=bash
# Finds the JDK for the scripts of this tree; to be read with ".". For bash 3.2 and newer.

# Prints the major version of a Java home with a compiler; nothing where there is none.
java_major() {
    [ -x "$1/bin/java" ] && [ -x "$1/bin/javac" ] || return 1
    local line=
    if [ -r "$1/release" ]; then
        line=$(grep '^JAVA_VERSION=' "$1/release")
    fi
    [ -n "$line" ] || line=$("$1/bin/java" -version 2>&1 | grep -m1 version)
    line=${line#*\"}
    line=${line%%[!0-9]*}
    [ -n "$line" ] && echo "$line"
}

# Sets java_home to the first JDK 25 or newer, and too_old to the others that are there.
find_java() {
    local candidate major path link
    too_old=
    path=$(command -v javac 2>/dev/null)
    while [ -L "$path" ]; do
        link=$(readlink "$path")
        case $link in
            /*) path=$link ;;
            *) path=$(dirname "$path")/$link ;;
        esac
    done
    for candidate in "${JAVA_HOME:-}" "${path%/bin/javac}" \
        /usr/lib/jvm/* /usr/java/* /opt/java/* /opt/jdk* \
        "${HOME:-/}"/.sdkman/candidates/java/* "${HOME:-/}"/.jdks/* "${HOME:-/}"/.asdf/installs/java/* \
        /Library/Java/JavaVirtualMachines/*/Contents/Home \
        "${HOME:-/}"/Library/Java/JavaVirtualMachines/*/Contents/Home \
        /opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home \
        /usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home; do
        [ -n "$candidate" ] && major=$(java_major "$candidate") || continue
        if [ "$major" -ge 25 ]; then
            java_home=$candidate
            return 0
        fi
        case $too_old in
            *" $candidate ("*) ;;
            *) too_old="$too_old $candidate ($major)" ;;
        esac
    done
    return 1
}

# Prints what is missing and how to get it, one line.
no_java() {
    local how
    case $(uname -s) in
        Darwin) how='brew install openjdk, or https://adoptium.net/temurin/releases/?version=25' ;;
        *)
            how='https://adoptium.net/temurin/releases/?version=25'
            if command -v apt-cache >/dev/null &&
                [ -n "$(apt-cache search --names-only '^openjdk-25-jdk-headless$' 2>/dev/null)" ]; then
                how="apt-get install openjdk-25-jdk-headless, or $how"
            fi
            ;;
    esac
    echo "no JDK 25 or newer found${too_old:+ (too old:$too_old)}: get one ($how), or set JAVA_HOME to yours"
}
