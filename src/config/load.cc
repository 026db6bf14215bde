#include "config/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <utility>

#include "base/toml.h"
#include "broker/ids.h"
#include "config/describe.h"
#include "config/schema.h"
#include "config/suggest.h"
#include "config/units.h"

namespace nightjar::config {
namespace {

struct Place {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  friend auto operator<=>(const Place&, const Place&) = default;
};
Place place_of(const toml::source_region& source) {
  return {static_cast<std::uint32_t>(source.begin.line), static_cast<std::uint32_t>(source.begin.column)};
}

std::string found_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return fmt::format("the string \"{}\"", text->get());
  if (const auto* integer = node.as_integer()) return fmt::format("{}", integer->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (const auto* real = node.as_floating_point()) return fmt::format("{}", real->get());
  if (node.is_table()) return "a table";
  return node.is_array() ? "an array" : "a date or time";
}

// ---- values ----

std::optional<Value> read_choice(const toml::node& node, const Shape& shape) {
  const auto text = node.value_exact<std::string_view>();
  if (!text) return std::nullopt;
  const auto at = std::find(shape.choices.begin(), shape.choices.end(), *text);
  if (at == shape.choices.end()) return std::nullopt;
  return static_cast<std::int64_t>(at - shape.choices.begin());
}

// A bare number is bytes; of durations only 0 needs no unit.
std::optional<std::int64_t> read_amount(const toml::node& node, const Shape& shape) {
  if (const auto bare = node.value_exact<std::int64_t>()) {
    if (shape.kind == Kind::kDuration && *bare != 0) return std::nullopt;
    return *bare;
  }
  const auto text = node.value_exact<std::string_view>();
  if (!text || shape.kind == Kind::kNumber) return std::nullopt;
  if (shape.kind == Kind::kSize) return parse_size(*text);
  if (shape.never != 0 && *text == "never") return shape.never;
  return parse_duration(*text);
}

std::optional<Value> read_texts(const toml::node& node) {
  const toml::array* const array = node.as_array();
  if (array == nullptr) return std::nullopt;
  std::vector<std::string> texts;
  for (const toml::node& each : *array) {
    const auto text = each.value_exact<std::string>();
    if (!text) return std::nullopt;
    texts.push_back(*text);
  }
  return texts;
}

std::optional<Value> read_mode(const toml::node& node) {
  constexpr std::string_view kOctal = "01234567";
  const auto text = node.value_exact<std::string>();
  if (!text || text->size() < 3 || text->size() > 4) return std::nullopt;
  if (text->find_first_not_of(kOctal) != std::string::npos) return std::nullopt;
  const std::int64_t mode = std::stoll(*text, nullptr, 8);
  if (mode > 0777) return std::nullopt;
  return mode;
}

std::optional<Value> read_value(const toml::node& node, const Shape& shape) {
  if (shape.kind == Kind::kBool) {
    if (const auto flag = node.value_exact<bool>()) return *flag;
    return std::nullopt;
  }
  if (shape.kind == Kind::kText) {
    if (const auto text = node.value_exact<std::string>()) return *text;
    return std::nullopt;
  }
  if (shape.kind == Kind::kChoice) return read_choice(node, shape);
  if (shape.kind == Kind::kTexts) return read_texts(node);
  if (shape.kind == Kind::kMode) return read_mode(node);
  const auto amount = read_amount(node, shape);
  if (!amount) return std::nullopt;
  if (shape.never != 0 && *amount == shape.never) return *amount;
  if (*amount < shape.min || *amount > shape.max || *amount % shape.step != 0) return std::nullopt;
  return *amount;
}

// SCHEME://HOST or SCHEME://HOST:PORT, or "null" of pages from nowhere.
bool is_origin(std::string_view text) {
  if (text == "null") return true;
  const std::size_t colon = text.find("://");
  if (colon == 0 || colon == std::string_view::npos) return false;
  const std::string_view host = text.substr(colon + 3);
  return !host.empty() && host.find_first_of("/?#@ *") == std::string_view::npos;
}

// ---- tables ----

// What the libraries of common controllers set aside for what they receive. A packet that is larger never
// fits, and more bytes at a time only wait elsewhere.
constexpr std::uint32_t kControllerBufferBytes = 8 * 1024;

constexpr std::uint32_t kOutstandingBytesMin = 4 * 1024;

class Loader {
 public:
  explicit Loader(std::string_view name) : name_(name) {}

  Result<Config, Problems> load(std::string_view text) {
    try {
      const toml::table file = toml::parse(text, std::string_view(name_));
      read_file(file);
    } catch (const toml::parse_error& error) {
      add(place_of(error.source()), std::string(error.description()));
    } catch (const TomlMisread& misread) {
      return tl::make_unexpected(Problems{fmt::format("{}: {}", name_, misread.what())});
    }
    if (problems_.empty()) return std::move(config_);
    std::stable_sort(problems_.begin(), problems_.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    Problems texts;
    for (auto& problem : problems_) texts.push_back(std::move(problem.second));
    return tl::make_unexpected(std::move(texts));
  }

 private:
  void add(Place place, std::string_view text) {
    problems_.emplace_back(place, fmt::format("{}:{}:{}: {}", name_, place.line, place.column, text));
  }

  // Of a key whose value was read.
  void add_about(const std::string& label, std::string_view key, std::string_view text) {
    add(read_at_[fmt::format("{}.{}", label, key)], fmt::format("\"{}\" in [{}]{}", key, label, text));
  }

  void remember(std::string what, const toml::node& node) {
    const Place place = place_of(node.source());
    read_at_.insert_or_assign(what, place);
    config_.places.insert_or_assign(std::move(what),
                                    fmt::format("{}:{}:{}", name_, place.line, place.column));
  }

  void read_file(const toml::table& file) {
    std::vector<Section> sections = sections_of(config_);
    for (Section& section : sections) {
      if (const toml::node* node = file.get(section.name)) read_section(*node, section, section.name);
    }
    if (const toml::node* node = file.get("listener")) read_listeners(*node);
    check_mount_point("limits", config_.limits.mount_point);
    check_pace("limits", config_.limits.outstanding_bytes_max);
    check_top_level(file, sections);
    check_shards(file);
  }

  void read_section(const toml::node& node, const Section& section, const std::string& label) {
    const toml::table* table = node.as_table();
    if (table == nullptr) {
      return add(place_of(node.source()), fmt::format("\"{}\" must be a table: write [{}]", label, label));
    }
    for (const auto& [key, value] : *table) read_entry(key, value, section, label);
  }

  void read_entry(const toml::key& key, const toml::node& value, const Section& section,
                  const std::string& label) {
    const std::string_view name = key.str();
    for (const Section& nested : section.nested) {
      if (nested.name != name) continue;
      const std::string inner = fmt::format("{}.{}", label, name);
      return nested.further ? read_tables(value, nested, inner) : read_section(value, nested, inner);
    }
    for (const Slot& slot : section.slots) {
      if (slot.name != name) continue;
      if (const auto read = read_value(value, slot.shape)) {
        remember(fmt::format("{}.{}", label, name), value);
        return slot.set(*read);
      }
      return add(place_of(value.source()), fmt::format("\"{}\" in [{}] must be {}, not {}", name, label,
                                                       describe(slot.shape), found_text(value)));
    }
    add(place_of(key.source()),
        fmt::format("unknown key \"{}\" in [{}]{}", name, label, hint(name, section)));
  }

  // The second one is labelled "more.2": the places of their keys stay apart.
  void read_tables(const toml::node& node, const Section& section, const std::string& label) {
    const toml::array* tables = node.as_array();
    if (tables == nullptr) {
      return add(place_of(node.source()),
                 fmt::format("\"{0}\" is a list: write [[{0}]] with two brackets", label));
    }
    std::size_t number = 0;
    for (const toml::node& entry : *tables) {
      const std::string own = ++number == 1 ? label : fmt::format("{}.{}", label, number);
      remember(own, entry);
      read_section(entry, section.further(), own);
    }
  }

  std::string hint(std::string_view name, const Section& section) {
    std::vector<std::string_view> known;
    for (const Slot& slot : section.slots) known.push_back(slot.name);
    for (const Section& nested : section.nested) known.push_back(nested.name);
    if (const auto near = suggest(name, known)) return fmt::format("; did you mean \"{}\"?", *near);
    Config scratch;
    ListenerConfig listener;
    std::vector<Section> all = sections_of(scratch);
    all.push_back(section_of(listener));
    for (const Section& other : all) {
      for (const Slot& slot : other.slots) {
        if (slot.name == name) return fmt::format("; it belongs in [{}]", other.name);
      }
    }
    return "";
  }

  void read_listeners(const toml::node& node) {
    const toml::array* listeners = node.as_array();
    if (listeners == nullptr) {
      return add(place_of(node.source()), "listeners are a list: write [[listener]] with two brackets");
    }
    std::set<std::string> names;
    for (const toml::node& entry : *listeners) {
      ListenerConfig listener = fresh_listener(config_);
      const toml::table* table = entry.as_table();
      const std::string given = table == nullptr ? "" : (*table)["name"].value_or(std::string());
      const std::string label =
          fmt::format("listener.{}", given.empty() ? std::to_string(names.size() + 1) : given);
      listener.label = label;
      remember(label, entry);
      read_section(entry, section_of(listener), label);
      if (const toml::node* tls = table == nullptr ? nullptr : table->get("tls")) check_tls(*tls, listener);
      check_origins(listener);
      if (listener.tls.profile == TlsProfile::kPlc) serve_controllers(listener);
      if (table != nullptr) check_path(listener, *table);
      if (listener.policy.mount_point != config_.limits.mount_point)
        check_mount_point(label, listener.policy.mount_point);
      if (listener.policy.outstanding_bytes_max != config_.limits.outstanding_bytes_max)
        check_pace(label, listener.policy.outstanding_bytes_max);
      if (listener.policy.name.empty()) {
        listener.policy.name = listener.unix_path.empty()
                                   ? fmt::format("{}:{}", listener.address, listener.port)
                                   : listener.unix_path;
      }
      if (!names.insert(listener.policy.name).second) {
        add(place_of(entry.source()),
            fmt::format("there is a listener \"{}\" already", listener.policy.name));
      }
      config_.listeners.push_back(std::move(listener));
    }
  }

  // A Unix socket has no address and port, and only it has a mode.
  void check_path(const ListenerConfig& listener, const toml::table& table) {
    const bool is_unix = !listener.unix_path.empty();
    for (const std::string_view key : {"address", "port", "path_mode"}) {
      const toml::node* const said = table.get(key);
      if (said == nullptr || is_unix == (key == "path_mode")) continue;
      add(place_of(said->source()),
          fmt::format("\"{}\" in [{}] {}", key, listener.label,
                      is_unix ? "has no meaning beside \"path\"; take out one of them"
                              : "needs \"path\", the Unix socket that it is for"));
    }
  }

  void check_mount_point(const std::string& label, std::string_view given) {
    if (given.find_first_of("+#") == std::string_view::npos) return;
    add_about(label, "mount_point", fmt::format(" must not contain + or #, not \"{}\"", given));
  }

  // The kernel sends no less at a time.
  void check_pace(const std::string& label, std::uint32_t bytes) {
    if (bytes == 0 || bytes >= kOutstandingBytesMin) return;
    add_about(label, "max_outstanding_bytes", fmt::format(" must be 0 or from 4KiB, not {}", bytes));
  }

  // Browsers say where a page comes from in this form, so that any other matches none.
  void check_origins(const ListenerConfig& listener) {
    for (const std::string& origin : listener.websocket.origins) {
      if (is_origin(origin)) continue;
      add_about(listener.label + ".websocket", "origins",
                fmt::format(": \"{}\" is no origin of web pages; write it without a path, such as "
                            "\"https://plant.example\" or \"http://plant.example:8080\"",
                            origin));
    }
  }

  void check_tls(const toml::node& node, const ListenerConfig& listener) {
    const std::string label = listener.label + ".tls";
    remember(label, node);
    if (!listener.tls.is_on()) {
      add(place_of(node.source()),
          fmt::format("[{}] has no certificate: set \"certificate\" and \"key\", or \"psk_file\"", label));
    }
    std::vector<CertificateFiles> pairs = listener.tls.more;
    pairs.push_back(listener.tls.files);
    for (const CertificateFiles& files : pairs) {
      if (files.certificate.empty() == files.key.empty()) continue;
      add(place_of(node.source()),
          files.key.empty()
              ? fmt::format("[{}] has the certificate {} without a \"key\"", label, files.certificate)
              : fmt::format("[{}] has the key {} without a \"certificate\"", label, files.key));
    }
  }

  [[nodiscard]] bool says(const std::string& label, const std::string& key) const {
    return config_.places.contains(label + "." + key) || config_.places.contains("limits." + key);
  }

  // A controller does one thing at a time, slowly, and speaks TLS 1.2; what the file says stands.
  void serve_controllers(ListenerConfig& listener) const {
    broker::ListenerPolicy& policy = listener.policy;
    const auto& label = listener.label;
    if (!says(label, "connect_timeout")) policy.connect_timeout = Duration::seconds(30);
    if (!says(label, "max_inflight")) policy.inflight_max = 1;
    if (!says(label, "max_packet_size_out")) policy.packet_bytes_max_out = kControllerBufferBytes;
    if (!says(label, "max_outstanding_bytes")) policy.outstanding_bytes_max = kControllerBufferBytes;
    if (!says(label, "max_output_bytes")) policy.output_bytes_max = 2 * kControllerBufferBytes;
    if (!config_.places.contains(listener.label + ".tls.max_version"))
      listener.tls.max_version = TlsVersion::kTls12;
  }

  void check_top_level(const toml::table& file, const std::vector<Section>& sections) {
    std::vector<std::string_view> known{"listener"};
    for (const Section& section : sections) known.push_back(section.name);
    for (const auto& [key, value] : file) {
      if (std::find(known.begin(), known.end(), key.str()) != known.end()) continue;
      const auto near = suggest(key.str(), known);
      add(place_of(key.source()),
          value.is_table() || value.is_array()
              ? fmt::format("unknown section [{}]{}", key.str(),
                            near ? fmt::format("; did you mean [{}]?", *near) : "")
              : fmt::format("key \"{}\" stands outside a section{}", key.str(), hint(key.str(), {})));
    }
  }

  void check_shards(const toml::table& file) {
    const std::uint16_t shards = config_.policy.shards;
    const auto place =
        place_of(file["node"]["shards"].node() != nullptr ? file["node"]["shards"].node()->source()
                 : file["node"].node() != nullptr         ? file["node"].node()->source()
                                                          : file.source());
    if ((shards & (shards - 1)) != 0) {
      add(place, fmt::format("\"shards\" in [node] must be a power of two, not {}", shards));
    }
    if (shards < config_.node.workers) {
      add(place,
          fmt::format(
              "\"shards\" in [node] must not be less than \"workers\": {} shards cannot occupy {} workers",
              shards, config_.node.workers));
    }
  }

  std::string name_;
  Config config_;
  std::map<std::string, Place> read_at_;  // those of the configuration, as numbers
  std::vector<std::pair<Place, std::string>> problems_;
};

}  // namespace

Result<Config, Problems> load_text(std::string_view text, std::string_view name) {
  return Loader(name).load(text);
}

std::string said_at(const Config& config, const std::string& label, const std::string& key) {
  if (const auto found = config.places.find(label + "." + key); found != config.places.end()) {
    return fmt::format("{}: \"{}\" in [{}]: ", found->second, key, label);
  }
  const auto table = config.places.find(label);
  return table == config.places.end() ? "" : fmt::format("{}: [{}]: ", table->second, label);
}

Result<std::string, Problems> read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in)
    return tl::make_unexpected(Problems{fmt::format("cannot read {}: {}", path, std::strerror(errno))});
  std::ostringstream text;
  // Nothing to copy also counts as a failure of `text`, so an empty file is looked at first.
  const bool is_empty = in.peek() == std::ifstream::traits_type::eof() && !in.bad();
  if (!is_empty && !(text << in.rdbuf()))
    return tl::make_unexpected(Problems{fmt::format("cannot read {}: it is no file", path)});
  return text.str();
}

Result<Config, Problems> load_file(const std::string& path) {
  NJ_TRY(const std::string text, read_file(path));
  return load_text(text, path);
}

}  // namespace nightjar::config
