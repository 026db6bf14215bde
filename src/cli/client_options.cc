#include "cli/client_options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <random>

#include "cli/option_checks.h"
#include "cli/option_error.h"
#include "cli/tls_options.h"
#include "mqtt/topic.h"

namespace nightjar::cli {
namespace {

using mqtt::Qos;
using mqtt::Version;

// A client id of 3.1 has at most 23 characters; ours keep to that in every version.
constexpr std::string_view kIdDigits = "0123456789abcdefghijkmnpqrstuvwxyz";

constexpr const char* kExitCodes =
    "Exit status: 0 done, 1 wrong usage, 2 no network connection to the broker, 3 refused by the broker\n"
    "(the reason is printed), 4 timed out, 5 lost the connection.\n";

constexpr const char* kPubExamples =
    "\nExamples:\n"
    "  nightjar pub -t home/door -m open\n"
    "  nightjar pub -t home/door -m open -q 1 -r           keep it as the topic's retained message\n"
    "  nightjar pub -t home/door -n -r                     remove the retained message\n"
    "  sensor | nightjar pub -t home/temperature -l        one message for each line\n"
    "  nightjar pub -t load -m x --repeat 100 --interval 0.1\n"
    "  nightjar pub -t calc/add -m '2 3' --request         wait for the answer and print it\n\n";

constexpr const char* kSubExamples =
    "\nExamples:\n"
    "  nightjar sub -t 'home/#' -v                         topic and payload of everything below home\n"
    "  nightjar sub -t home/door -C 1 -W 10                the next message, or exit status 4 after 10 s\n"
    "  nightjar sub -t 'home/#' -F '%I %t %q %p'           your own format\n"
    "  nightjar sub -t 'home/#' -F %j | jq .topic          JSON, one message a line\n"
    "  nightjar sub -t '$share/workers/jobs' -q 1          share the messages with others in \"workers\"\n"
    "  nightjar sub -t 'home/#' -q 1 -c -i desk --reconnect   keep the session, come back after a loss\n\n";

// Options as typed, before they are checked.
struct Typed {
  ConnectionSettings connection;
  std::string version = "5";
  std::string url;
  std::string user_name;
  std::string password;
  std::string password_file;
  bool keep_session = false;
  TlsOptions tls;
  double timeout_s = 0;
  std::vector<std::string> connect_user_properties;

  std::string will_topic;
  std::string will_payload;
  unsigned will_qos = 0;
  bool will_retain = false;
  std::uint32_t will_delay_s = 0;
  MessageProperties will_properties;
  std::string will_payload_format;
  std::vector<std::string> will_user_properties;

  unsigned qos = 0;
  MessageProperties properties;
  std::string payload_format;
  std::vector<std::string> user_properties;
  std::string format = "%p";
  std::vector<std::string> only_5;  // given options that 3.1 and 3.1.1 cannot express
};

// One CLI::App, filled line by line so that the lists below read like the help they produce.
class Parser {
 public:
  Parser(const char* name, const char* description, const char* examples) : app_(description, name) {
    app_.set_help_flag("--help", "Print this help and exit");
    app_.footer(std::string{examples} + std::string{format_help()} + "\n" + kExitCodes);
    app_.get_formatter()->column_width(kHelpColumn);
  }

  const CLI::App& app() const { return app_; }
  // The heading of what follows.
  void group(const char* name) { group_ = name; }

  // `form` stands for the value in the help.
  template <typename T>
  CLI::Option* value(const std::string& names, T& target, const char* form, const char* help) {
    return app_.add_option(names, target, help)->option_text(form)->group(group_);
  }
  CLI::Option* flag(const std::string& names, bool& target, const char* help) {
    return app_.add_flag(names, target, help)->group(group_);
  }
  // One value an occurrence: `-t a b` is an error and not two topics.
  CLI::Option* values(const std::string& names, std::vector<std::string>& target, const char* form,
                      const char* help) {
    return value(names, target, form, help)
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  }
  // The option belongs to 5.0 only; used with -V 3.1 or 3.1.1 it is an error.
  CLI::Option* only_5(CLI::Option* option) {
    only_5_.push_back(option);
    return option;
  }

  Outcome<bool> parse(int argc, const char* const* argv, Typed& typed) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      return stop(ExitCode::kOk, app_.help());
    } catch (const CLI::ParseError& error) {
      return usage(option_error(app_, error));
    }
    for (const CLI::Option* option : only_5_) {
      if (option->count() > 0) typed.only_5.push_back("--" + option->get_lnames().front());
    }
    return true;
  }

 private:
  static constexpr std::size_t kHelpColumn = 34;

  CLI::App app_;
  const char* group_ = "Options";
  std::vector<CLI::Option*> only_5_;
};

// `prefix` is "--" for the message and "--will-" for the will.
void add_message_properties(Parser& p, const std::string& prefix, MessageProperties& to, std::string& format,
                            std::vector<std::string>& user_properties) {
  p.only_5(p.value(prefix + "content-type", to.content_type, "TEXT", "Content type, e.g. application/json"));
  p.only_5(p.value(prefix + "response-topic", to.response_topic, "TOPIC", "Where answers shall go"));
  p.only_5(
      p.value(prefix + "correlation-data", to.correlation_data, "TEXT", "Ties an answer to its request"));
  p.only_5(p.value(prefix + "message-expiry", to.message_expiry_s, "SECONDS",
                   "After this time it is no longer delivered"));
  p.only_5(p.value(prefix + "payload-format", format, "bytes|utf8", "What the payload is"))
      ->check(CLI::IsMember({"bytes", "utf8"}));
  p.only_5(p.values(prefix + "user-property", user_properties, "NAME=VALUE", "User property (repeatable)"));
}

void add_connection(Parser& p, Typed& typed) {
  ConnectionSettings& to = typed.connection;
  p.group("Connection");
  p.value("-h,--host", to.host, "HOST", "Broker's name or address [127.0.0.1]");
  p.value("-p,--port", to.port, "PORT", "Broker's port [1883]")->check(CLI::Range(1, 65535));
  p.value("-L,--url", typed.url, "URL",
          "All in one: mqtt://USER:PASSWORD@HOST:PORT, or mqtts://, ws://, wss://");
  p.flag("--ws", to.uses_websocket, "MQTT over WebSocket");
  p.value("--unix", to.unix_path, "PATH", "Unix socket of the broker, instead of host and port");
  p.value("-V,--mqtt-version", typed.version, "3.1|3.1.1|5", "Version of MQTT [5]; also 311, mqttv311, ...");
  p.value("-i,--id", to.client_id, "ID", "Client id [a random one]");
  p.value("-u,--user", typed.user_name, "NAME", "User name");
  p.value("-P,--password", typed.password, "TEXT", "Password (others can see it in the process list)");
  p.value("--password-file", typed.password_file, "FILE",
          "Password from a file's first line; else from $NIGHTJAR_PASSWORD");
  p.value("-k,--keep-alive", to.keep_alive_s, "SECONDS", "Time between signs of life, 0: none [60]");
  p.flag("--tls", typed.tls.is_wanted, "Use TLS, and port 8883 unless -p says another");
  p.value("--cafile", typed.tls.client.authorities, "FILE",
          "Whom to trust, PEM [this machine's authorities]; means --tls");
  p.value("--cert", typed.tls.client.certificate, "FILE", "Certificate of this client, PEM; means --tls");
  p.value("--key", typed.tls.client.key, "FILE", "Its private key, PEM");
  p.flag("--insecure", typed.tls.is_insecure, "Trust any certificate: for tests only; means --tls");
  p.flag("-c,--keep-session", typed.keep_session, "Resume this client id's session and keep it afterwards");
  p.only_5(p.value("--session-expiry", to.session_expiry_s, "SECONDS",
                   "How long the broker keeps the session [0; with -c for ever]"));
  p.only_5(p.value("--receive-maximum", to.receive_maximum, "N",
                   "QoS 1 and 2 messages that may be in flight to us"))
      ->check(CLI::Range(1, 65535));
  p.only_5(p.value("--max-packet-size", to.packet_bytes_max, "BYTES", "Largest packet that we accept"))
      ->check(CLI::PositiveNumber);
  p.only_5(p.value("--topic-alias-maximum", to.topic_alias_maximum, "N",
                   "Topic aliases the broker may use towards us [0]"));
  p.only_5(p.values("--connect-user-property", typed.connect_user_properties, "NAME=VALUE",
                    "User property of CONNECT (repeatable)"));
  p.flag("--reconnect", to.reconnect, "Try again, with growing pauses, when the broker is away");
  p.value("-W,--timeout", typed.timeout_s, "SECONDS", "Give up after this time")->check(CLI::PositiveNumber);
}

void add_will(Parser& p, Typed& typed) {
  p.group("Will (the broker sends it when this client vanishes)");
  p.value("--will-topic", typed.will_topic, "TOPIC", "Topic of the will; the options below need it");
  p.value("--will-payload", typed.will_payload, "TEXT", "Its payload [empty]");
  p.value("--will-qos", typed.will_qos, "0|1|2", "Its QoS [0]")->check(CLI::Range(0, 2));
  p.flag("--will-retain", typed.will_retain, "Keep it as the topic's retained message");
  p.only_5(p.value("--will-delay", typed.will_delay_s, "SECONDS", "Time for the client to come back"));
  add_message_properties(p, "--will-", typed.will_properties, typed.will_payload_format,
                         typed.will_user_properties);
}

std::optional<std::uint8_t> payload_format_of(const std::string& word) {
  if (word.empty()) return std::nullopt;
  return word == "utf8" ? std::uint8_t{1} : std::uint8_t{0};
}

mqtt::RetainHandling retain_handling_of(std::string_view word) {
  if (word == "new") return mqtt::RetainHandling::kSendIfNew;
  return word == "never" ? mqtt::RetainHandling::kDoNotSend : mqtt::RetainHandling::kSend;
}

std::string random_client_id(const char* role) {
  std::random_device source;
  std::uniform_int_distribution<std::size_t> digit{0, kIdDigits.size() - 1};
  std::string id = fmt::format("nightjar-{}-", role);
  for (int i = 0; i < 10; ++i) id += kIdDigits[digit(source)];
  return id;
}

Outcome<bool> finish_credentials(const CLI::App& app, const Typed& typed, ConnectionSettings& connection) {
  if (app.count("--user") > 0) connection.user_name = typed.user_name;
  if (app.count("--password") > 0) {
    connection.password = typed.password;
  } else if (!typed.password_file.empty()) {
    NJ_TRY(const std::string content, read_file(typed.password_file));
    connection.password = content.substr(0, content.find_first_of("\r\n"));
  } else if (const char* from_environment = std::getenv("NIGHTJAR_PASSWORD");
             from_environment != nullptr && connection.user_name && !connection.password) {
    connection.password = from_environment;
  }
  if (connection.user_name) NJ_CHECK(check_string("the user name", *connection.user_name));
  if (connection.password.value_or("").size() > kStringBytesMax) return usage("the password is too long");
  if (connection.password && !connection.user_name && connection.version != Version::k5) {
    return usage("a password without a user name needs MQTT 5.0; give -u as well");
  }
  return true;
}

Outcome<bool> finish_session(const CLI::App& app, const char* role, const Typed& typed,
                             ConnectionSettings& connection) {
  if (typed.keep_session) {
    connection.clean_start = false;
    // As in 3.1.1: until somebody ends it. The broker may keep it for less.
    if (connection.version == Version::k5 && !connection.session_expiry_s)
      connection.session_expiry_s = UINT32_MAX;
  }
  const bool has_id = app.count("--id") > 0;
  if (!has_id) {
    if (!connection.clean_start || connection.session_expiry_s.value_or(0) > 0) {
      return usage("a session can only be resumed by its client id; give one with -i");
    }
    connection.client_id = random_client_id(role);
  }
  return check_string("the client id", connection.client_id);
}

Outcome<bool> finish_tls(const CLI::App& app, const Typed& typed, ConnectionSettings& connection) {
  NJ_TRY(connection.tls, check_tls(typed.tls, typed.url));
  if (connection.tls && app.count("--port") == 0 && typed.url.empty()) connection.port = kTlsPort;
  return true;
}

Outcome<bool> finish_will(const CLI::App& app, const Typed& typed, ConnectionSettings& connection) {
  if (app.count("--will-topic") == 0) {
    for (const CLI::Option* option : app.get_options()) {
      const bool is_given = option->count() > 0;
      if (is_given && option->get_name().starts_with("--will-")) {
        return usage(fmt::format("{} describes a will, which needs --will-topic", option->get_name()));
      }
    }
    return true;
  }
  WillSettings will;
  will.message.topic = typed.will_topic;
  will.message.payload = typed.will_payload;
  will.message.qos = static_cast<Qos>(typed.will_qos);
  will.message.retain = typed.will_retain;
  will.message.properties = typed.will_properties;
  will.message.properties.payload_format = payload_format_of(typed.will_payload_format);
  NJ_TRY(will.message.properties.user_properties, parse_user_properties(typed.will_user_properties));
  if (app.count("--will-delay") > 0) will.delay_s = typed.will_delay_s;
  NJ_CHECK(check_topic("the will topic", will.message.topic));
  NJ_CHECK(check_properties(will.message.properties));
  if (will.message.payload.size() > kStringBytesMax)
    return usage("a will payload may have at most 65535 bytes");
  connection.will = std::move(will);
  return true;
}

Outcome<bool> finish_connection(const CLI::App& app, const char* role, Typed& typed) {
  ConnectionSettings& connection = typed.connection;
  NJ_TRY(connection.version, parse_version(typed.version));
  if (connection.version != Version::k5 && !typed.only_5.empty()) {
    return usage(fmt::format("{} exists only in MQTT 5.0; leave it out or use -V 5", typed.only_5.front()));
  }
  if (!typed.url.empty()) {
    if (app.count("--host") + app.count("--port") > 0) return usage("give either --url or --host and --port");
    NJ_CHECK(apply_url(typed.url, connection));
  }
  if (!connection.unix_path.empty() && app.count("--url") + app.count("--host") + app.count("--port") > 0) {
    return usage("give either --unix, or a host and port");
  }
  if (app.count("--timeout") > 0)
    connection.timeout = Duration{static_cast<std::int64_t>(typed.timeout_s * 1000)};
  NJ_TRY(connection.user_properties, parse_user_properties(typed.connect_user_properties));
  NJ_CHECK(finish_tls(app, typed, connection));
  NJ_CHECK(finish_credentials(app, typed, connection));
  NJ_CHECK(finish_session(app, role, typed, connection));
  return finish_will(app, typed, connection);
}

Outcome<Format> parse_format(const std::string& text) {
  Result<Format> format = Format::parse(text);
  if (!format) return usage(format.error().message);
  return *format;
}

// Exactly one of them says what to publish.
struct PayloadOptions {
  std::string file;
  bool is_stdin = false;
  bool is_lines = false;
  bool is_null = false;
};

Outcome<bool> read_payload(const CLI::App& app, const PayloadOptions& options, PubSettings& settings) {
  const bool has_text = app.count("--message") > 0;
  const bool has_file = app.count("--file") > 0;
  if (has_text + has_file + options.is_stdin + options.is_lines + options.is_null != 1) {
    return usage(
        "say what to publish with one of -m TEXT, -f FILE, -s (standard input), -l (its lines), -n "
        "(nothing)");
  }
  std::string& payload = settings.message.payload;
  if (has_file) {
    NJ_TRY(payload, read_file(options.file));
  }
  if (options.is_stdin) {
    NJ_TRY(payload, read_all(std::cin, "the standard input"));
  }
  if (options.is_lines) {
    settings.source = PayloadSource::kLines;
    if (app.count("--repeat") > 0)
      return usage("--repeat repeats one message; with -l every line is another");
  }
  if (payload.size() > mqtt::kRemainingLengthMax) {
    return usage("the payload is larger than any MQTT packet, 256 MiB");
  }
  return true;
}

// A request is answered on its Response Topic; without a given one we take one that only this client uses.
Outcome<bool> finish_request(PubSettings& settings) {
  if (!settings.is_request) return true;
  if (settings.connection.version != Version::k5) return usage("--request exists only in MQTT 5.0; use -V 5");
  if (settings.source == PayloadSource::kLines || settings.repeat != 1) {
    return usage("--request sends one message and waits for its answer; leave out -l and --repeat");
  }
  std::optional<std::string>& topic = settings.message.properties.response_topic;
  if (!topic) topic = "response/" + settings.connection.client_id;
  return check_topic("the response topic", *topic);
}

}  // namespace

Outcome<PubSettings> parse_pub(int argc, const char* const* argv) {
  Typed typed;
  PubSettings settings;
  PayloadOptions payload;
  double interval_s = 0;
  Parser p{"nightjar pub", "Publish messages to an MQTT broker.", kPubExamples};
  const CLI::App& app = p.app();
  p.value("-t,--topic", settings.message.topic, "TOPIC", "Topic to publish to")->required();
  p.value("-m,--message", settings.message.payload, "TEXT", "Payload");
  p.value("-f,--file", payload.file, "FILE", "Payload from a file");
  p.flag("-s,--stdin", payload.is_stdin, "Payload from the standard input, all of it as one message");
  p.flag("-l,--lines", payload.is_lines,
         "Each line of the standard input is a message; empty ones are skipped");
  p.flag("-n,--null", payload.is_null, "Empty payload");
  p.value("-q,--qos", typed.qos, "0|1|2", "QoS [0]")->check(CLI::Range(0, 2));
  p.flag("-r,--retain", settings.message.retain, "Keep it as the topic's retained message");
  p.value("--repeat", settings.repeat, "N", "Publish it N times [1]")->check(CLI::PositiveNumber);
  p.value("--interval", interval_s, "SECONDS", "Pause between two messages [0]")
      ->check(CLI::NonNegativeNumber);
  p.only_5(p.flag("--request", settings.is_request, "Wait for an answer on the response topic and print it"));
  p.value("-F,--format", typed.format, "FORMAT", "How to print the answer, see below");
  p.group("Message properties (MQTT 5.0)");
  p.only_5(
       p.value("--topic-alias", settings.message.topic_alias, "N", "Send the topic once, then this number"))
      ->check(CLI::Range(1, 65535));
  add_message_properties(p, "--", typed.properties, typed.payload_format, typed.user_properties);
  add_connection(p, typed);
  add_will(p, typed);

  NJ_CHECK(p.parse(argc, argv, typed));
  NJ_CHECK(finish_connection(app, "pub", typed));
  NJ_CHECK(check_topic("the topic", settings.message.topic));
  settings.message.qos = static_cast<Qos>(typed.qos);
  settings.message.properties = typed.properties;
  settings.message.properties.payload_format = payload_format_of(typed.payload_format);
  NJ_TRY(settings.message.properties.user_properties, parse_user_properties(typed.user_properties));
  NJ_CHECK(check_properties(settings.message.properties));
  settings.interval = Duration{static_cast<std::int64_t>(interval_s * 1000)};
  NJ_TRY(settings.format, parse_format(typed.format));
  settings.connection = typed.connection;
  NJ_CHECK(finish_request(settings));
  // Last, because reading the standard input may take as long as its writer wants.
  NJ_CHECK(read_payload(app, payload, settings));
  return settings;
}

Outcome<SubSettings> parse_sub(int argc, const char* const* argv) {
  Typed typed;
  SubSettings settings;
  SubscribeSettings& subscribe = settings.subscribe;
  std::string retain_handling = "always";
  bool has_no_newline = false;
  bool is_verbose = false;
  Parser p{"nightjar sub", "Subscribe to topics of an MQTT broker and print what comes.", kSubExamples};
  const CLI::App& app = p.app();
  p.values("-t,--topic", subscribe.filters, "FILTER", "Topic filter (repeatable)")->required();
  p.value("-q,--qos", typed.qos, "0|1|2", "Highest QoS wanted [0]")->check(CLI::Range(0, 2));
  p.value("-C,--count", settings.count, "N", "End after N messages")->check(CLI::PositiveNumber);
  p.value("-F,--format", typed.format, "FORMAT", "How to print a message, see below");
  p.flag("-v,--verbose", is_verbose, "Print the topic before the payload, as -F '%t %p'");
  p.flag("-N,--no-newline", has_no_newline, "Print no newline behind each message");
  p.flag("--retained-only", settings.retained_only, "Print only retained messages");
  p.flag("--no-retained", settings.no_retained, "Print no retained messages");
  p.group("Subscription options (MQTT 5.0)");
  p.only_5(p.flag("--no-local", subscribe.no_local, "Not what this client published itself"));
  p.only_5(
      p.flag("--retain-as-published", subscribe.retain_as_published, "Keep the publisher's retain flag"));
  p.only_5(p.value("--retain-handling", retain_handling, "always|new|never",
                   "Send retained messages; new: only if the subscription is new"))
      ->check(CLI::IsMember({"always", "new", "never"}));
  p.only_5(
       p.value("--subscription-id", subscribe.subscription_id, "N", "Number that comes with each message"))
      ->check(CLI::Range(1U, mqtt::kRemainingLengthMax));
  p.only_5(p.values("--user-property", typed.user_properties, "NAME=VALUE", "User property (repeatable)"));
  add_connection(p, typed);
  add_will(p, typed);

  NJ_CHECK(p.parse(argc, argv, typed));
  NJ_CHECK(finish_connection(app, "sub", typed));
  if (is_verbose && app.count("--format") > 0) return usage("-v is a format of its own; leave out -v or -F");
  if (settings.retained_only && settings.no_retained) {
    return usage("--retained-only and --no-retained together leave nothing to print");
  }
  settings.connection = typed.connection;
  for (const std::string& filter : subscribe.filters) {
    NJ_CHECK(check_filter(filter));
    if (subscribe.no_local && mqtt::is_shared(filter)) {
      return usage("--no-local and a shared subscription exclude each other [MQTT-3.8.3-4]");
    }
  }
  subscribe.qos = static_cast<Qos>(typed.qos);
  NJ_TRY(subscribe.user_properties, parse_user_properties(typed.user_properties));
  subscribe.retain_handling = retain_handling_of(retain_handling);
  if (settings.no_retained && app.count("--retain-handling") == 0) {
    // Why send what is not printed; only 5.0 can say so, and the retain flag tells in the other versions.
    subscribe.retain_handling = mqtt::RetainHandling::kDoNotSend;
  }
  settings.ends_with_newline = !has_no_newline;
  NJ_TRY(settings.format, parse_format(is_verbose ? "%t %p" : typed.format));
  return settings;
}

}  // namespace nightjar::cli
