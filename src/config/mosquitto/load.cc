#include "config/mosquitto/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "config/mosquitto/draft.h"
#include "config/mosquitto/keys.h"
#include "config/mosquitto/reader.h"

namespace nightjar::config::mosquitto {
namespace {

constexpr std::uint16_t kDefaultPort = 1883;

// What Mosquitto does where the file says nothing.
void set_defaults(Config& config) {
  broker::ListenerPolicy& limits = config.limits;
  limits.inflight_max = 20;
  limits.receive_maximum = 20;
  limits.inflight_bytes_max = std::uint64_t{1} << 40;
  limits.packet_bytes_max = 2'000'000;
  limits.topic_alias_maximum = kTopicAliasMaximum;
  limits.topic_alias_maximum_out = kTopicAliasMaximum;
  limits.session_expiry_max_s = 0xFFFFFFFF;
  limits.queue.messages_max = 1000;
  limits.queue.bytes_max = std::uint64_t{1} << 40;
  limits.queue.counts_payload_only = true;
  limits.refuses_longer_keep_alive = true;
  config.policy.checks_retained_source = true;
}

// The plugins that are built in: where each has its file.
struct BuiltIn {
  std::string_view library;
  std::string_view option;
  std::string Security::*file;
};
constexpr BuiltIn kBuiltIn[] = {{"mosquitto_password_file", "password_file", &Security::password_file},
                                {"mosquitto_acl_file", "acl_file", &Security::acl_file},
                                {"mosquitto_dynamic_security", "config_file", &Security::dynamic_security}};
// Those of Mosquitto's own that say nothing about who may do what.
constexpr std::string_view kWithoutAccess[] = {"mosquitto_persist_sqlite", "mosquitto_sparkplug_aware"};

class Assembly {
 public:
  Assembly(Draft& draft, const Options& options, const std::string& path, Problems& problems,
           std::vector<std::string>& warnings)
      : draft_(draft), options_(options), path_(path), problems_(problems), warnings_(warnings) {}

  void run() {
    map_plugins(draft_.security);
    map_plugins(draft_.default_listener.security);
    for (ListenerDraft& listener : draft_.listeners) map_plugins(listener.security);
    set_log();
    set_persistence();
    choose_listeners();
    check_bridges();
  }

 private:
  Config& config() { return draft_.config; }
  // The default listener has no line that opens it.
  void add(const Place& place, std::string_view text) {
    problems_.push_back(fmt::format("{}: {}", place.line == 0 ? path_ : place.text(), text));
  }

  // ---- plugins ----

  [[nodiscard]] std::pair<std::string, const Plugin*> library_of(const Plugin& plugin) const {
    if (plugin.key != "plugin_use") return {plugin.path, &plugin};
    for (const Plugin& loaded : draft_.loadable) {
      if (loaded.name == plugin.name) return {loaded.path, &loaded};
    }
    return {"", &plugin};
  }

  void map_plugins(Security& security) {
    for (const Plugin& plugin : security.plugins) {
      const auto [path, source] = library_of(plugin);
      if (path.empty()) {
        add(plugin.place,
            fmt::format("\"plugin_use {0}\": there is no \"plugin_load {0} PATH\"", plugin.name));
      } else if (!map_built_in(security, plugin.place, path, *source)) {
        leave_out(security, plugin.place, path);
      }
    }
    if (security.dynamic_security.empty()) return;
    for (std::string* file : {&security.password_file, &security.acl_file}) {
      if (!file->empty())
        warnings_.push_back(fmt::format("{}: {} is not read: the dynamic-security plugin decides alone",
                                        path_, std::exchange(*file, {})));
    }
  }

  // Fails closed: whoever the plugin would have let in by his name stays outside.
  void leave_out(Security& security, const Place& place, const std::string& path) {
    const bool may_know_users =
        std::none_of(std::begin(kWithoutAccess), std::end(kWithoutAccess),
                     [&path](std::string_view name) { return path.find(name) != std::string::npos; });
    security.lacks_plugin |= may_know_users;
    draft_.config.errors.push_back(fmt::format(
        "{}: the plugin {} is not loaded: only Mosquitto's own password-file, acl-file and dynamic-security "
        "are "
        "built in{}",
        place.text(), path,
        may_know_users ? "; a client with a user name is refused unless a password_file knows it" : ""));
  }

  bool map_built_in(Security& security, const Place& place, const std::string& path, const Plugin& plugin) {
    for (const BuiltIn& known : kBuiltIn) {
      if (path.find(known.library) == std::string::npos) continue;
      for (const auto& [name, value] : plugin.options) {
        if (name == known.option) security.*known.file = value;
      }
      if ((security.*known.file).empty()) {
        add(place, fmt::format("the plugin {} needs \"plugin_opt_{} FILE\" behind it", path, known.option));
      }
      return true;
    }
    return false;
  }

  // ---- the broker ----

  void set_log() {
    LogConfig& log = config().log;
    if (draft_.log_level) log.level = *draft_.log_level;
    if (options_.is_verbose) log.level = log::Level::kDebug;
    if (draft_.has_log_destination) {
      auto& destinations = draft_.log_destinations;
      log.destination = destinations.empty() ? "none" : destinations.front();
      if (!destinations.empty()) log.more_destinations.assign(destinations.begin() + 1, destinations.end());
    }
    if (draft_.logs_nothing && !options_.is_verbose) log.destination = "none";
  }

  void set_persistence() {
    NodeConfig& node = config().node;
    node.durability = draft_.is_persistent ? Durability::kFsync : Durability::kMemory;
    node.data_dir.clear();
    if (!draft_.is_persistent) return;
    // Beside the file that Mosquitto would write, which stays as it is.
    const std::filesystem::path location{draft_.persistence_location};
    node.data_dir = (location / (draft_.persistence_file + ".nightjar")).string();
  }

  // ---- listeners ----

  void choose_listeners() {
    const bool names_listeners = !draft_.listeners.empty();
    ListenerDraft& first = draft_.default_listener;
    if (names_listeners && options_.port) {
      warnings_.push_back(fmt::format("-p {} is ignored: the file names its listeners", *options_.port));
    }
    for (ListenerDraft& listener : draft_.listeners) finish(listener, false);
    if (names_listeners && !first.is_used) return;
    const bool is_local = !first.is_used;
    if (!first.has_port) {
      first.config.port = !names_listeners && options_.port ? *options_.port : kDefaultPort;
    } else if (!names_listeners && options_.port) {
      warnings_.push_back(fmt::format("-p {} is ignored: the file sets \"port\"", *options_.port));
    }
    if (is_local) first.config.address = "localhost";
    finish(first, is_local);
  }

  void finish(ListenerDraft& draft, bool is_local) {
    ListenerConfig& listener = draft.config;
    if (listener.is_left_out) return;
    const Security& security = draft_.is_per_listener ? draft.security : draft_.security;
    set_policy(draft, security, is_local);
    set_tls(draft, security);
    listener.auth = {.password_file = security.password_file,
                     .acl_file = security.acl_file,
                     .is_mosquitto = true,
                     .has_mosquitto_acl = true,
                     .dynamic_security = security.dynamic_security,
                     .refuses_unproved_names = security.lacks_plugin};
    if (!draft_.is_per_listener) config().auth = listener.auth;
    listener.websocket.headers_bytes_max = draft_.websocket_headers_bytes_max;
    listener.is_name_allowed = true;
    name(draft);
    for (const Places* places : {&security.places, &std::as_const(draft.places)}) {
      for (const auto& [key, place] : *places)
        config().places.insert_or_assign(fmt::format("{}.{}", listener.label, key), place);
    }
    config().listeners.push_back(std::move(listener));
  }

  void set_policy(ListenerDraft& draft, const Security& security, bool is_local) {
    broker::ListenerPolicy policy = config().limits;
    const broker::ListenerPolicy& own = draft.config.policy;
    policy.maximum_qos = own.maximum_qos;
    policy.topic_alias_maximum = own.topic_alias_maximum;
    policy.topic_alias_maximum_out = own.topic_alias_maximum_out;
    policy.mount_point = own.mount_point;
    policy.connections_max = own.connections_max;
    policy.client_id_is_user_name = own.client_id_is_user_name;
    policy.accepts_v31 = own.accepts_v31;
    policy.accepts_v311 = own.accepts_v311;
    policy.accepts_v5 = own.accepts_v5;
    policy.allow_anonymous = draft.allow_anonymous.value_or(security.allow_anonymous.value_or(is_local));
    policy.allow_empty_client_id = security.allow_zero_length_clientid.value_or(true);
    if (!security.auto_id_prefix.empty()) policy.auto_id_prefix = security.auto_id_prefix;
    if (!draft.auto_id_prefix.empty()) policy.auto_id_prefix = draft.auto_id_prefix;
    draft.config.policy = std::move(policy);
  }

  void set_tls(ListenerDraft& draft, const Security& security) {
    TlsConfig& tls = draft.config.tls;
    const Place& place = draft.place;
    if (tls.files.certificate.empty() != tls.files.key.empty()) {
      add(place, fmt::format("the listener has a {0} and no {1}: TLS needs both, and without them everybody "
                             "could read along",
                             tls.files.key.empty() ? "certfile" : "keyfile",
                             tls.files.key.empty() ? "keyfile" : "certfile"));
    } else if (tls.files.certificate.empty() && tls.psk_hint.empty() && wants_tls(draft)) {
      add(place, "the listener has keys of TLS, but neither certfile and keyfile nor psk_hint");
    }
    if (!tls.psk_hint.empty()) {
      tls.psk_file = security.psk_file;
      if (tls.psk_file.empty()) add(place, "psk_hint needs a psk_file");
    }
    if (draft.requires_certificate) tls.client_certificate = ClientCertificate::kRequired;
    // Where nobody can show a certificate, its name is not asked for.
    if (!tls.is_on() && !draft.config.proxy.is_on) return;
    if (draft.user_is_subject) tls.user_from = CertificateUser::kSubject;
    if (draft.user_is_common_name) tls.user_from = CertificateUser::kCommonName;
  }

  // Behind a proxy that ends TLS the certificate is the proxy's to ask for.
  static bool wants_tls(const ListenerDraft& draft) {
    return (draft.requires_certificate && !draft.config.proxy.is_on) || !draft.config.tls.client_ca.empty() ||
           !draft.config.tls.client_ca_dir.empty();
  }

  void name(ListenerDraft& draft) {
    ListenerConfig& listener = draft.config;
    std::string called = !listener.unix_path.empty() ? listener.unix_path
                         : listener.address == "*"   ? fmt::format("{}", listener.port)
                                                     : fmt::format("{}:{}", listener.address, listener.port);
    listener.label = "listener." + called;
    listener.policy.name = std::move(called);
    if (draft.place.line != 0) config().places.emplace(listener.label, draft.place.text());
  }

  // ---- bridges ----

  void check_bridges() {
    for (const Bridge& bridge : draft_.bridges) {
      if (bridge.addresses.empty()) {
        add(bridge.place, fmt::format("connection \"{}\" has no address", bridge.name));
      } else if (options_.is_without_bridges) {
        warnings_.push_back(fmt::format("{}: connection \"{}\" is left out (--without-bridges)",
                                        bridge.place.text(), bridge.name));
      } else {
        add(bridge.place,
            fmt::format("connection \"{}\": bridges are not supported yet; --without-bridges starts without "
                        "them",
                        bridge.name));
      }
    }
  }

  Draft& draft_;
  const Options& options_;
  const std::string& path_;
  Problems& problems_;
  std::vector<std::string>& warnings_;
};

class DiskFiles final : public Files {
 public:
  Result<std::string> read(const std::string& path) override {
    std::ifstream in(path, std::ios::binary);
    if (!in) return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
    std::ostringstream text;
    const bool is_empty = in.peek() == std::ifstream::traits_type::eof() && !in.bad();
    if (!is_empty && !(text << in.rdbuf())) return fail(fmt::format("cannot read {}: it is no file", path));
    return text.str();
  }

  Result<std::vector<std::string>> list(const std::string& directory) override {
    std::error_code error;
    std::vector<std::string> names;
    for (std::filesystem::directory_iterator at{directory, error}, end; !error && at != end;
         at.increment(error)) {
      names.push_back(at->path().filename().string());
    }
    if (error) return fail(fmt::format("cannot read the directory {}: {}", directory, error.message()));
    return names;
  }
};

bool is_toml_line(const Line& line) {
  return line.name.starts_with('[') || line.name.find('=') != std::string_view::npos ||
         line.value.starts_with('=');
}

}  // namespace

bool is_mosquitto_conf(std::string_view path, std::string_view text) {
  if (path.ends_with(".toml")) return false;
  const std::vector<Line> lines = split_lines(text);
  // No line of Mosquitto's begins with a bracket, whatever the file is called.
  const auto first =
      std::find_if(lines.begin(), lines.end(), [](const Line& line) { return !line.name.starts_with('#'); });
  if (path.ends_with(".conf")) return first == lines.end() || !first->name.starts_with('[');
  return first != lines.end() && !is_toml_line(*first);
}

Result<Config, Problems> load(const std::string& path, Files& files, const Options& options) {
  Draft draft;
  Problems problems;
  std::vector<std::string> warnings;
  set_defaults(draft.config);
  Reader{files, draft, problems, warnings}.read(path);
  // What is put together from wrong lines would only bring problems that are none.
  if (problems.empty()) Assembly{draft, options, path, problems, warnings}.run();
  if (!problems.empty()) return tl::make_unexpected(std::move(problems));
  draft.config.is_mosquitto = true;
  draft.config.warnings = std::move(warnings);
  return std::move(draft.config);
}

Result<Config, Problems> load_file(const std::string& path, const Options& options) {
  DiskFiles files;
  return load(path, files, options);
}

}  // namespace nightjar::config::mosquitto
