# Sourced by .ci/run: the packages it needs and the two brokers it tests against. Needs $scratch.

system_install() {  # system_install PACKAGE...: from the system's packages, starting no service
    if ! command -v apt-get > /dev/null || [ "$(id -u)" -ne 0 ]; then
        echo "cannot install $*: that needs root and apt-get" >&2
        return 1
    fi
    echo "installing $* with apt-get"
    local policy=/usr/sbin/policy-rc.d made_policy=no status=0
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' > "$policy"
        chmod +x "$policy"
        made_policy=yes
    fi
    {
        apt-get update -qq &&
            DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
    } > "$scratch/apt.log" 2>&1 || status=$?
    [ "$made_policy" = no ] || rm -f "$policy"
    [ "$status" -eq 0 ] || cat "$scratch/apt.log" >&2
    return "$status"
}

install_tools() {
    local missing=()
    command -v make > /dev/null || missing+=(make)
    python3 -c 'import ensurepip' 2> /dev/null || missing+=(python3-venv)
    # The API page's sample programs run as tests.
    command -v curl > /dev/null || missing+=(curl)
    command -v node > /dev/null || missing+=(nodejs)
    php -r 'exit(function_exists("curl_init") ? 0 : 1);' 2> /dev/null || missing+=(php-cli php-curl)
    command -v chromium > /dev/null || missing+=(chromium)  # the admin's tests
    if [ ${#missing[@]} -eq 0 ]; then
        echo "make, python3 with venv, curl, node, php and chromium are here"
    else
        system_install "${missing[@]}"
    fi
}

answers() {  # answers PORT BYTES PREFIX: does 127.0.0.1:PORT answer BYTES with PREFIX?
    python3 - "$@" 2> /dev/null << 'PYTHON'
import socket, sys
port, question, prefix = int(sys.argv[1]), *(a.encode().decode("unicode_escape") for a in sys.argv[2:])
with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
    peer.sendall(question.encode("latin-1"))
    sys.exit(not peer.recv(64).startswith(prefix.encode("latin-1")))
PYTHON
}
redis_answers() { answers "$redis_port" 'PING\r\n' '+PONG'; }
rabbitmq_answers() { answers "$rabbitmq_port" 'AMQP\x00\x00\x09\x01' '\x01\x00\x00'; }

wait_for() {  # wait_for SECONDS PID COMMAND: until COMMAND succeeds, while PID lives
    local deadline=$((SECONDS + $1))
    until "$3"; do
        kill -0 "$2" 2> /dev/null || { echo "it ended at once" >&2; return 1; }
        [ "$SECONDS" -lt "$deadline" ] || { echo "no answer in $1 s" >&2; return 1; }
        sleep 0.5
    done
}

# A port of its own for each is only for trying this script beside running servers.
redis_port=${CI_REDIS_PORT:-6379}
rabbitmq_port=${CI_RABBITMQ_PORT:-5672}

start_services() {
    local failed=0
    start_redis || failed=1
    start_rabbitmq || failed=1
    return "$failed"
}

start_redis() {
    if redis_answers; then
        echo "Redis: one answers on 127.0.0.1:$redis_port, using it"
        return
    fi
    command -v redis-server > /dev/null || system_install redis-server
    redis-server --bind 127.0.0.1 --port "$redis_port" --save '' --appendonly no \
        --dir "$scratch" --daemonize no > "$scratch/redis.log" 2>&1 < /dev/null &
    echo $! > "$scratch/redis.pid"
    wait_for 20 $! redis_answers || { cat "$scratch/redis.log" >&2; return 1; }
    echo "Redis: started one on 127.0.0.1:$redis_port"
}

rabbitmq_environment() {  # a node of its own: its names, ports, files and epmd
    export HOME="$scratch/rabbitmq"
    export RABBITMQ_NODENAME=bulksms-ci@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
    export RABBITMQ_NODE_PORT=$rabbitmq_port RABBITMQ_DIST_PORT=$((rabbitmq_port + 20001))
    export RABBITMQ_MNESIA_BASE="$HOME/mnesia" RABBITMQ_LOG_BASE="$HOME/log"
    export RABBITMQ_PID_FILE="$HOME/pid" RABBITMQ_ENABLED_PLUGINS_FILE="$HOME/plugins"
    export RABBITMQ_CONFIG_FILE="$HOME/rabbitmq.conf" RABBITMQ_CONFIG_FILES="$HOME/none/*.conf"
    export RABBITMQ_SERVER_START_ARGS="-kernel inet_dist_use_interface {127,0,0,1}"
    export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=$((rabbitmq_port - 1))
}

start_rabbitmq() {
    if rabbitmq_answers; then
        echo "RabbitMQ: one answers on 127.0.0.1:$rabbitmq_port, using it"
        return
    fi
    local server=/usr/lib/rabbitmq/bin/rabbitmq-server
    [ -x "$server" ] || system_install rabbitmq-server
    mkdir -p "$scratch/rabbitmq"
    (
        rabbitmq_environment
        cd "$HOME"
        echo "listeners.tcp.default = 127.0.0.1:$rabbitmq_port" > "$RABBITMQ_CONFIG_FILE"
        exec "$server" > "$HOME/out" 2>&1 < /dev/null
    ) &
    echo $! > "$scratch/rabbitmq.pid"
    wait_for 90 $! rabbitmq_answers || { cat "$scratch/rabbitmq/out" >&2; return 1; }
    echo "RabbitMQ: started one on 127.0.0.1:$rabbitmq_port"
}

stop_services() {  # only what this run started
    [ ! -e "$scratch/redis.pid" ] || kill "$(cat "$scratch/redis.pid")" 2> /dev/null || true
    [ ! -e "$scratch/rabbitmq.pid" ] || stop_rabbitmq
}

stop_rabbitmq() {
    kill "$(cat "$scratch/rabbitmq.pid")" 2> /dev/null || true
    rabbitmq_environment
    # epmd refuses to be killed until the node has left it, so this also waits for the node.
    for _ in $(seq 60); do
        ! epmd -kill 2> /dev/null | grep -q Killed || return 0
        sleep 0.5
    done
}
