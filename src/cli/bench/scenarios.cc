#include "cli/bench/scenarios.h"

#include <fmt/format.h>
#include <netdb.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

#include "cli/bench/wire.h"
#include "cli/dial.h"
#include "net/address.h"

namespace nightjar::cli::bench {
namespace {

struct Scenario {
  std::string_view name;
  std::string_view summary;
  // Defaults.
  std::uint32_t publishers;
  std::uint32_t subscribers;
  int qos;
  double rate;
  double duration_s;
  Result<BenchResult> (*run)(const Setup&);
};

constexpr std::array kScenarios{
    Scenario{"p2p", "each publisher to a subscriber of its own", 50, 50, 0, 0, 10, run_p2p},
    Scenario{"fanout", "each publisher to all subscribers", 1, 100, 0, 0, 10, run_fanout},
    Scenario{"fanin", "many publishers to one subscriber", 100, 1, 0, 0, 10, run_fanin},
    Scenario{"shared", "publishers to the members of a shared group", 50, 4, 1, 0, 10, run_shared},
    Scenario{"wild", "first a table of wildcard filters, then one match for each message", 50, 50, 0, 0, 10,
             run_wild},
    Scenario{"conn", "many connects, then nothing but idle connections", 0, 0, 0, 0, 10, run_conn},
    Scenario{"retained", "messages that are kept, then delivered to new subscribers", 10, 10, 1, 0, 10,
             run_retained},
    Scenario{"offline", "messages for subscribers who are away, then they come back", 100, 100, 1, 0, 10,
             run_offline},
    Scenario{"mixed", "telemetry, commands, alarms and news side by side", 100, 100, -1, 5000, 10, run_mixed},
    Scenario{"capacity", "searches the highest rate that keeps a latency", 0, 0, 0, 1000, 3, run_capacity},
    Scenario{"omb", "the cases of the Open MQTT Benchmark Suite", 0, 0, 1, 0, 10, run_suite},
};

constexpr double kBesideRate = 1000;
constexpr Duration kDialPatience = Duration::seconds(10);

const Scenario* find_scenario(std::string_view name) {
  const auto* found = std::find_if(kScenarios.begin(), kScenarios.end(),
                                   [&](const Scenario& each) { return each.name == name; });
  return found == kScenarios.end() ? nullptr : found;
}

BenchOptions with_defaults(BenchOptions options, const Scenario& scenario) {
  if (options.publishers == 0) options.publishers = scenario.publishers;
  if (options.subscribers == 0) options.subscribers = scenario.subscribers;
  if (options.qos < 0) options.qos = scenario.qos;
  if (options.rate < 0) options.rate = scenario.rate;
  if (options.duration_s == 0) options.duration_s = scenario.duration_s;
  if (options.beside_rate == 0) options.beside_rate = kBesideRate;
  return options;
}

Result<Address> as_bench_address(Result<net::Address> found) {
  if (!found) return fail(std::move(found.error().message));
  Address address{.size = found->size};
  std::memcpy(&address.storage, &found->storage, found->size);
  return address;
}

// Of several addresses, as "localhost" has, the first that answers.
Result<Address> choose(const addrinfo* list, const BenchOptions& options) {
  Address address;
  if (list->ai_next == nullptr) {
    address.size = list->ai_addrlen;
    std::memcpy(&address.storage, list->ai_addr, list->ai_addrlen);
    return address;
  }
  const auto socket = dial(options.host, options.port, kDialPatience);
  if (!socket) return fail(socket.error().message);
  address.size = sizeof address.storage;
  getpeername(socket->get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  return address;
}

Result<Address> resolve(const BenchOptions& options) {
  if (!options.unix_path.empty()) return as_bench_address(net::unix_address(options.unix_path));
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int failed =
          getaddrinfo(options.host.c_str(), std::to_string(options.port).c_str(), &hints, &list);
      failed != 0) {
    return fail(fmt::format("cannot find the host \"{}\": {}", options.host, gai_strerror(failed)));
  }
  auto address = choose(list, options);
  freeaddrinfo(list);
  return address;
}

std::string broker_text(const BenchOptions& options) {
  if (!options.unix_path.empty()) return options.unix_path;
  return address_text(options.host, options.port);
}

std::string_view transport_text(const BenchOptions& options) {
  if (options.tls) return options.uses_websocket ? "WebSocket in TLS" : "TLS";
  if (options.uses_websocket) return "WebSocket";
  return options.unix_path.empty() ? "TCP" : "a Unix socket";
}

std::string_view version_text(mqtt::Version version) {
  return version == mqtt::Version::k5 ? "5.0" : version == mqtt::Version::k311 ? "3.1.1" : "3.1";
}

}  // namespace

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  for (const Scenario& each : kScenarios) names.emplace_back(each.name);
  return names;
}

std::string scenario_list() {
  std::string text = "What to run:";
  for (const Scenario& each : kScenarios) text += fmt::format("\n  {:<9} {}", each.name, each.summary);
  return text;
}

Result<BenchResult> run_scenario(const BenchOptions& options, const ProcessMeter& meter,
                                 const Progress& progress) {
  const Scenario* scenario = find_scenario(options.scenario);
  if (scenario == nullptr) return fail(fmt::format("unknown scenario \"{}\"", options.scenario));
  return scenario->run({with_defaults(options, *scenario), meter, progress});
}

BenchResult new_result(const Setup& setup) {
  const BenchOptions& options = setup.options;
  BenchResult result{.scenario = options.scenario, .has_broker_usage = !setup.meter.is_empty()};
  result.settings.emplace_back("broker", broker_text(options));
  result.settings.emplace_back("transport", transport_text(options));
  result.settings.emplace_back("version", version_text(options.version));
  result.settings.emplace_back("payload", fmt::format("{} bytes", options.payload_bytes));
  result.settings.emplace_back("threads", fmt::format("{}", options.threads));
  return result;
}

Result<std::unique_ptr<Load>> open_load(const Setup& setup, const Plan& plan) {
  const BenchOptions& options = setup.options;
  if (const std::uint64_t most = connections_max(); plan.clients.size() > most) {
    return fail(
        fmt::format("{} connections need more open files than the {} that this process may have; raise "
                    "the limit (ulimit -n), or ask for fewer",
                    plan.clients.size(), most));
  }
  LoadSettings settings{.version = options.version,
                        .payload_bytes = options.payload_bytes,
                        .user_name = options.user_name,
                        .password = options.password,
                        .keep_alive_s = options.keep_alive_s,
                        .threads = options.threads};
  NJ_TRY(settings.wire, make_wire_settings(options));
  NJ_TRY(settings.broker, resolve(options));
  return std::make_unique<Load>(plan, std::move(settings), setup.meter, setup.progress);
}

void add_tls_suite(BenchResult& result, Load& load) {
  if (std::string suite = load.traffic().tls_suite(); !suite.empty()) {
    result.settings.emplace_back("TLS", std::move(suite));
  }
}

std::uint64_t connections_max() {
  // Files of this process that are no connection: epoll and wake-ups of threads, reports, libraries.
  constexpr std::uint64_t kOtherFiles = 200;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur > kOtherFiles ? limit.rlim_cur - kOtherFiles : 0;
}

}  // namespace nightjar::cli::bench
