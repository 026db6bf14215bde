#include "cli/bench/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <utility>

#include "cli/bench/identity.h"
#include "cli/bench/scenarios.h"
#include "cli/option_checks.h"
#include "cli/tls_options.h"

namespace nightjar::cli::bench {
namespace {

constexpr int kUsageError = 1;

constexpr const char* kBenchExamples =
    "\nExamples:\n"
    "  nightjar bench p2p                              50 publishers to 50 subscribers, as fast as it goes\n"
    "  nightjar bench p2p -r 20000                     20 000 messages a second, latency from the due time\n"
    "  nightjar bench fanout --subscribers 1000 -q 1\n"
    "  nightjar bench p2p --pid $(pidof mosquitto)     with the broker's CPU per message and its memory\n"
    "  nightjar bench p2p --json result.json\n"
    "  nightjar bench relay -p 1900                    moves the same bytes with no protocol: the limit\n"
    "  nightjar bench compare 'nightjar=nightjar serve -p {port} --data {dir}' \\\n"
    "      'mosquitto=mosquitto -p {port}' --scenario 'p2p -q 1' --rounds 5\n"
    "  nightjar bench p2p -L mqtts://localhost:8883 --cafile pki/ca.pem\n\n";

mqtt::Version version_of(std::string_view text) {
  return text == "3.1" ? mqtt::Version::k31 : text == "3.1.1" ? mqtt::Version::k311 : mqtt::Version::k5;
}

// Puts under this heading of the help what has been added since the last one.
void end_group(CLI::App& app, const char* name) {
  for (CLI::Option* option : app.get_options()) {
    if (option->get_group() == "Options" && !option->get_positional()) option->group(name);
  }
}

// Options as typed, before they are checked.
struct TypedTransport {
  std::string url;
  TlsOptions tls;
};

template <typename T>
T checked(Outcome<T> outcome) {
  if (!outcome) throw CLI::ValidationError(outcome.error().message);
  return std::move(*outcome);
}

void finish_transport(const CLI::App& app, const TypedTransport& typed, BenchOptions& to) {
  const bool has_address = app.count("--host") + app.count("--port") > 0;
  if (!typed.url.empty()) {
    if (has_address) throw CLI::ValidationError("give either --url or --host and --port");
    ConnectionSettings connection{.host = to.host, .port = to.port, .uses_websocket = to.uses_websocket};
    checked(apply_url(typed.url, connection));
    to.host = connection.host;
    to.port = connection.port;
    to.uses_websocket = connection.uses_websocket;
    if (connection.user_name) to.user_name = *connection.user_name;
    if (connection.password) to.password = *connection.password;
  }
  if (!to.unix_path.empty() && (has_address || !typed.url.empty())) {
    throw CLI::ValidationError("give either --unix, or a host and port");
  }
  to.tls = checked(check_tls(typed.tls, typed.url));
  if (to.tls && app.count("--port") == 0 && typed.url.empty()) to.port = kTlsPort;
  if (to.resumes && !to.tls)
    throw CLI::ValidationError("--resume is about sessions of TLS: give --tls as well");
}

void add_transport_options(CLI::App& app, BenchOptions& to) {
  const auto typed = std::make_shared<TypedTransport>();
  app.add_option("-L,--url", typed->url,
                 "All in one: mqtt://USER:PASSWORD@HOST:PORT, or mqtts://, ws://, wss://")
      ->option_text("URL");
  app.add_option("--unix", to.unix_path, "Unix socket of the broker, instead of host and port")
      ->option_text("PATH");
  app.add_flag("--ws", to.uses_websocket, "MQTT over WebSocket, each packet in a frame of its own");
  app.add_flag("--tls", typed->tls.is_wanted, "Use TLS, and port 8883 unless -p says another");
  app.add_option("--cafile", typed->tls.client.authorities,
                 "Whom to trust, PEM [this machine's authorities]; means --tls")
      ->option_text("FILE");
  app.add_option("--cert", typed->tls.client.certificate, "Certificate of the clients, PEM; means --tls")
      ->option_text("FILE");
  app.add_option("--key", typed->tls.client.key, "Its private key, PEM")->option_text("FILE");
  app.add_flag("--insecure", typed->tls.is_insecure, "Trust any certificate: for tests only; means --tls");
  app.callback([&app, typed, &to] { finish_transport(app, *typed, to); });
}

// Of single scenarios.
void add_scenario_options(CLI::App& app, BenchOptions& to) {
  app.add_option("--clients", to.clients, "conn: connections [10000, or what the file limit allows]")
      ->option_text("N");
  app.add_option("--connect-rate", to.connect_rate, "Connects a second [as fast as possible]")
      ->option_text("N");
  app.add_option("--dialing", to.dialing, "Connects under way at a time [100]")
      ->option_text("N")
      ->check(CLI::Range(1, 60'000));
  app.add_option("--hold", to.hold_s, "conn: idle time that is watched [5]")->option_text("SECONDS");
  app.add_flag("--resume", to.resumes, "conn: then connect all again, with their sessions of TLS resumed");
  app.add_flag("--subscribe", to.subscribes, "conn: each connection subscribes to a topic of its own");
  app.add_option("--filters", to.filters, "wild: filters in the table [100000]")->option_text("N");
  app.add_option("--topics", to.topics, "wild: topics that are published to [100000]")->option_text("N");
  app.add_option("--zipf", to.zipf, "wild: topics by Zipf's law with this exponent [0: all alike]")
      ->option_text("S")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-n,--messages", to.messages, "retained, offline: messages [100000, 90000]")
      ->option_text("N");
  app.add_option("--shape", to.shape, "capacity: the traffic [p2p]")
      ->option_text("p2p|fanout|fanin|shared")
      ->check(CLI::IsMember({"p2p", "fanout", "fanin", "shared"}));
  app.add_option("--goal", to.goal_ms, "capacity: the latency to keep, in milliseconds [10]")
      ->option_text("MS")
      ->check(CLI::PositiveNumber);
  app.add_option("--goal-percentile", to.goal_percentile, "capacity: for this share of the messages [99]")
      ->option_text("P")
      ->check(CLI::Range(0.0, 100.0));
  app.add_option("--case", to.suite_case, suite_case_list())
      ->option_text("NAME")
      ->check(CLI::IsMember(suite_case_names()));
  app.add_option("--scale", to.scale, "omb: part of the clients and of the rate [what the file limit allows]")
      ->option_text("F")
      ->check(CLI::Range(0.0001, 1.0));
  app.add_option("--beside", to.beside,
                 "Disturb the load: all (a subscriber of #), stalled (one that does not read),\n"
                 "bomb (subscriptions without end), churn (they come and go)")
      ->option_text("KIND")
      ->check(CLI::IsMember({"all", "stalled", "bomb", "churn"}));
  app.add_option("--beside-rate", to.beside_rate, "Messages or subscriptions a second of --beside [1000]")
      ->option_text("N")
      ->check(CLI::PositiveNumber);
  end_group(app, "Single scenarios");
}

void add_options(CLI::App& app, BenchOptions& to) {
  app.set_help_flag("--help", "Print this help and exit");
  app.get_formatter()->column_width(34);
  app.add_option("scenario", to.scenario, scenario_list())
      ->required()
      ->check(CLI::IsMember(scenario_names()));
  app.add_option("-h,--host", to.host, "Broker's name or address [127.0.0.1]")->option_text("HOST");
  app.add_option("-p,--port", to.port, "Broker's port [1883]")
      ->option_text("PORT")
      ->check(CLI::Range(1, 65535));
  app.add_option_function<std::string>(
         "-V,--mqtt-version", [&to](const std::string& text) { to.version = version_of(text); },
         "Version of MQTT [3.1.1]")
      ->option_text("3.1|3.1.1|5")
      ->check(CLI::IsMember({"3.1", "3.1.1", "5", "5.0"}));
  app.add_option("-u,--user", to.user_name, "User name")->option_text("NAME");
  app.add_option("-P,--password", to.password, "Password")->option_text("TEXT");
  app.add_option("-k,--keep-alive", to.keep_alive_s, "Keep alive of the clients [0: none]")
      ->option_text("SECONDS");
  add_transport_options(app, to);
  end_group(app, "Broker");
  app.add_option("-q,--qos", to.qos, "QoS of publishers and subscribers [by scenario]")
      ->option_text("QOS")
      ->check(CLI::Range(0, 2));
  app.add_option("-s,--size", to.payload_bytes, "Payload [64]")
      ->option_text("BYTES")
      ->check(CLI::Range(kIdentityBytes, std::size_t{256} * 1024 * 1024));
  app.add_option("--publishers", to.publishers, "Publishers [by scenario]")->option_text("N");
  app.add_option("--subscribers", to.subscribers, "Subscribers [by scenario]")->option_text("N");
  app.add_option("-r,--rate", to.rate, "Messages published a second, by all together; 0: a flood [0]")
      ->option_text("N")
      ->check(CLI::NonNegativeNumber);
  app.add_option("-w,--window", to.window, "Messages of a flood on their way to a subscriber [by scenario]")
      ->option_text("N");
  app.add_option("--inflight", to.inflight,
                 "Unacknowledged messages of a publisher [500 at QoS 1, 20 at QoS 2]")
      ->option_text("N")
      ->check(CLI::Range(1, 32'000));
  app.add_flag(
      "--keep-sessions", to.keeps_sessions,
      "Sessions outlive their connections, so that a broker that keeps its promises stores what is for them");
  app.add_option("-d,--duration", to.duration_s, "Measured time [10; capacity: 3, for each rate]")
      ->option_text("SECONDS")
      ->check(CLI::PositiveNumber);
  app.add_option("--warmup", to.warmup_s, "Load before the measured time [1]")
      ->option_text("SECONDS")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--ramp", to.ramp_s, "Time in which the rate grows from 0 [0]")
      ->option_text("SECONDS")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--threads", to.threads, "Threads of this tool [1]")
      ->option_text("N")
      ->check(CLI::Range(1, 64));
  end_group(app, "Load");
  add_scenario_options(app, to);
  app.add_option("--pid", to.pids, "Process of the broker: its CPU and memory are measured (repeatable)")
      ->option_text("PID");
  app.add_option("--json", to.json_file, "Write the result as JSON; - for the standard output")
      ->option_text("FILE");
  app.add_option("--html", to.html_file, "Write the result as one page with charts")->option_text("FILE");
  app.add_flag("--quiet", to.is_quiet, "No progress, no table");
  end_group(app, "Result");
}

template <typename Options>
Result<Options, int> parse(CLI::App& app, int argc, const char* const* argv, const Options& options) {
  try {
    app.parse(argc, argv);
    return options;
  } catch (const CLI::ParseError& done) {
    return tl::make_unexpected(app.exit(done) == 0 ? 0 : kUsageError);
  }
}

}  // namespace

Result<BenchOptions, int> parse_bench(int argc, const char* const* argv) {
  BenchOptions options;
  CLI::App app{"Measures an MQTT broker.", "nightjar bench"};
  app.footer(kBenchExamples);
  add_options(app, options);
  return parse(app, argc, argv, options);
}

Result<BenchOptions> parse_scenario(const std::string& line) {
  BenchOptions options;
  CLI::App app{"Measures an MQTT broker."};
  add_options(app, options);
  try {
    app.parse(line, false);
    return options;
  } catch (const CLI::ParseError& error) {
    return fail(fmt::format("--scenario '{}': {}", line, error.what()));
  }
}

Result<RelayOptions, int> parse_relay(int argc, const char* const* argv) {
  RelayOptions options;
  CLI::App app{
      "Moves bytes from publishers to subscribers without speaking MQTT, as the limit to compare with.",
      "nightjar bench relay"};
  app.set_help_flag("--help", "Print this help and exit");
  app.add_option("-h,--host", options.host, "Address to listen on [127.0.0.1]")->option_text("HOST");
  app.add_option("-p,--port", options.port, "Port [1883]")->option_text("PORT")->check(CLI::Range(1, 65535));
  return parse(app, argc, argv, options);
}

Result<CompareOptions, int> parse_compare(int argc, const char* const* argv) {
  CompareOptions options;
  CLI::App app{
      "Starts brokers in turn and measures each: medians of interleaved rounds, and ratios to the first.",
      "nightjar bench compare"};
  app.set_help_flag("--help", "Print this help and exit");
  app.footer(kBenchExamples);
  app.get_formatter()->column_width(34);
  app.add_option("brokers", options.brokers,
                 "'NAME=COMMAND' with {port} and {dir} in place of a free port and a new directory")
      ->required();
  app.add_option("--scenario", options.scenarios, "A scenario with its options, quoted (repeatable) [p2p]")
      ->option_text("'SCENARIO OPTIONS'");
  app.add_option("--with", options.with,
                 "Options of every scenario for one broker, with {port} and {dir} (repeatable)")
      ->option_text("'NAME=OPTIONS'");
  app.add_option("--rounds", options.rounds, "Rounds [5]")->option_text("N")->check(CLI::Range(1, 1000));
  app.add_option("--json", options.json_file, "Write the result as JSON; - for the standard output")
      ->option_text("FILE");
  app.add_option("--html", options.html_file, "Write the result as one page with charts")
      ->option_text("FILE");
  return parse(app, argc, argv, options);
}

}  // namespace nightjar::cli::bench
