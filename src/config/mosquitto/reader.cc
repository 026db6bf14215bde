#include "config/mosquitto/reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "config/mosquitto/origins.h"
#include "config/suggest.h"

namespace nightjar::config::mosquitto {
namespace {

constexpr std::array<std::string_view, 8> kStructure{"connection",  "include_dir", "listener",
                                                     "auth_plugin", "plugin",      "global_plugin",
                                                     "plugin_load", "plugin_use"};
// A file that includes more than this is a mistake.
constexpr std::size_t kIncludedFilesMax = 1000;

std::optional<std::int64_t> read_number(std::string_view value) {
  const std::string_view word = take_word(value);
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
  return number;
}

// What is wrong with the value, empty if nothing is.
std::string read_value(const Key& key, std::string_view given, Value& value) {
  value.text = given;
  if (key.kind == ValueKind::kFlag) {
    // Behind the word anything may stand, as with Mosquitto.
    const std::string_view word = take_word(given);
    value.flag = word == "true" || word == "1";
    if (value.flag || word == "false" || word == "0") return {};
    return fmt::format("must be true or false, not \"{}\"", word);
  }
  if (key.kind == ValueKind::kText) return {};
  const auto number = read_number(given);
  if (!number) return fmt::format("must be a whole number, not \"{}\"", given);
  value.number = *number;
  if (*number >= key.min && *number <= key.max) return {};
  if (key.max == std::numeric_limits<std::int64_t>::max()) {
    return fmt::format("must be at least {}, not {}", key.min, *number);
  }
  return fmt::format("must be from {} to {}, not {}", std::max<std::int64_t>(key.min, -1), key.max, *number);
}

bool is_hostname_of_socket(std::string_view address) { return address.find('/') != std::string_view::npos; }

}  // namespace

void Reader::read(const std::string& path) { read_file(path, false); }

void Reader::read_file(const std::string& path, bool is_included) {
  const auto text = files_.read(path);
  if (!text) {
    problems_.push_back(text.error().message);
    return;
  }
  Section section{.file = path, .is_included = is_included, .listener = &draft_.default_listener};
  for (const Line& line : split_lines(*text)) read_line(section, line);
}

void Reader::read_line(Section& section, const Line& line) {
  if (read_structure(section, line) || read_plugin(section, line)) return;
  const Key* key = find_key(line.name);
  if (key == nullptr) return add_unknown(section, line);
  read_key(section, line, *key);
}

bool Reader::read_structure(Section& section, const Line& line) {
  const bool is_structure =
      line.name == "include_dir" || line.name == "listener" || line.name == "connection";
  if (!is_structure) return false;
  if (line.value.empty()) {
    add(section, line, "needs a value");
  } else if (line.name == "include_dir") {
    include(section, line);
  } else if (line.name == "listener") {
    begin_listener(section, line);
  } else {
    begin_bridge(section, line);
  }
  return true;
}

void Reader::include(Section& section, const Line& line) {
  const Place place{section.file, line.number};
  if (section.is_included) {
    warnings_.push_back(place.text() + ": include_dir works in the main file only; it is left out here");
    return;
  }
  const std::string directory{line.value};
  auto names = files_.list(directory);
  if (!names) return add(section, line, fmt::format(": {}", names.error().message));
  std::erase_if(*names, [](const std::string& name) { return name.size() <= 5 || !name.ends_with(".conf"); });
  std::sort(names->begin(), names->end(), is_included_before);
  if (names->size() > kIncludedFilesMax) names->resize(kIncludedFilesMax);
  for (const std::string& name : *names) {
    read_file(fmt::format("{}{}{}", directory, directory.ends_with('/') ? "" : "/", name), true);
  }
}

void Reader::begin_listener(Section& section, const Line& line) {
  std::string_view rest = line.value;
  const auto port = read_number(take_word(rest));
  std::string_view address = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
  if (address.starts_with('#')) address = {};  // here alone a comment may stand behind
  if (!port || *port < 0 || *port > 65'535) {
    return add(section, line,
               fmt::format("needs a port from 1 to 65535, or 0 and the path of a Unix socket, "
                           "not \"{}\"",
                           line.value));
  }
  if (*port == 0 && address.empty()) {
    return add(section, line, "with port 0 needs the path of a Unix socket behind it");
  }
  ListenerDraft& listener = draft_.listeners.emplace_back();
  listener.place = {section.file, line.number};
  listener.config.port = static_cast<std::uint16_t>(*port);
  if (*port == 0) {
    listener.config.unix_path = address;
  } else if (is_hostname_of_socket(address)) {
    add(section, line, fmt::format("on a Unix socket has port 0: \"listener 0 {}\"", address));
  } else if (!address.empty()) {
    listener.config.address = address;
  }
  section.listener = &listener;
  section.plugin = nullptr;
}

void Reader::begin_bridge(Section& section, const Line& line) {
  const bool is_known = std::any_of(draft_.bridges.begin(), draft_.bridges.end(),
                                    [&line](const Bridge& bridge) { return bridge.name == line.value; });
  if (is_known) add(section, line, fmt::format(": there is a connection \"{}\" already", line.value));
  draft_.bridges.push_back(
      {.place = {section.file, line.number}, .name = std::string{line.value}, .addresses = {}, .topics = {}});
  section.bridge = &draft_.bridges.back();
}

bool Reader::read_plugin(Section& section, const Line& line) {
  for (const std::string_view prefix : {"plugin_opt_", "auth_opt_"}) {
    if (!line.name.starts_with(prefix)) continue;
    read_plugin_option(section, line, line.name.substr(prefix.size()));
    return true;
  }
  if (line.name == "auth_plugin_deny_special_chars") {
    if (section.plugin == nullptr) add(section, line, "needs a plugin above it");
    return true;
  }
  const bool names_path = line.name == "plugin" || line.name == "auth_plugin" || line.name == "global_plugin";
  const bool is_load = line.name == "plugin_load";
  if (!names_path && !is_load && line.name != "plugin_use") return false;
  if (line.value.empty()) {
    add(section, line, "needs a value");
    return true;
  }
  Plugin plugin{.place = {section.file, line.number},
                .key = std::string{line.name},
                .path = {},
                .name = {},
                .options = {}};
  std::string_view rest = line.value;
  if (names_path) {
    plugin.path = line.value;
  } else {
    plugin.name = take_word(rest);
    if (is_load) plugin.path = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
  }
  has_security_ = true;
  auto& plugins = is_load ? draft_.loadable : security_of(section).plugins;
  plugins.push_back(std::move(plugin));
  section.plugin = &plugins.back();
  return true;
}

void Reader::read_plugin_option(Section& section, const Line& line, std::string_view name) {
  if (section.plugin == nullptr) return add(section, line, "needs a plugin above it");
  if (name.empty()) return add(section, line, "needs the name of an option at its end");
  if (line.value.empty()) return add(section, line, "needs a value");
  section.plugin->options.emplace_back(name, line.value);
}

void Reader::read_key(Section& section, const Line& line, const Key& key) {
  if (key.scope == Scope::kBridge && section.bridge == nullptr) {
    return add(section, line, "needs a \"connection\" above it");
  }
  if (key.scope == Scope::kNamedListener && section.listener == &draft_.default_listener) {
    return add(section, line, "needs a \"listener\" above it");
  }
  if (line.value.empty()) return add(section, line, "needs a value");
  if (!key.may_repeat && !seen_.emplace(owner_of(section, key), key.name).second) {
    return add(section, line, "stands twice");
  }
  Value value;
  if (const std::string wrong = read_value(key, line.value, value); !wrong.empty()) {
    return add(section, line, wrong);
  }
  has_security_ |= key.scope == Scope::kSecurity;
  if (key.name == "per_listener_settings" && value.flag && has_security_)
    return add(section, line,
               "must stand above everything about who may enter: what came before was for all");
  Target target{.draft = draft_,
                .listener = *section.listener,
                .security = security_of(section),
                .bridge = section.bridge,
                .plugin = section.plugin,
                .place = {section.file, line.number},
                .warnings = warnings_};
  if (!key.note.empty()) target.warn(fmt::format("{} has no meaning here: {}", key.name, key.note));
  if (key.effect == nullptr) return;
  if (const std::string wrong = key.effect(target, value); !wrong.empty()) return add(section, line, wrong);
  note_places(section, line, key);
}

void Reader::note_places(Section& section, const Line& line, const Key& key) {
  const std::string place = Place{section.file, line.number}.text();
  for (const Origin& origin : origins_of(key.name)) {
    Places& places = !origin.is_of_listener          ? draft_.config.places
                     : key.scope == Scope::kSecurity ? security_of(section).places
                     : key.scope == Scope::kGlobal   ? draft_.default_listener.places
                                                     : section.listener->places;
    places.insert_or_assign(std::string{origin.native}, place);
  }
}

Security& Reader::security_of(Section& section) {
  return draft_.is_per_listener ? section.listener->security : draft_.security;
}

const void* Reader::owner_of(Section& section, const Key& key) {
  switch (key.scope) {
    case Scope::kListener:
    case Scope::kNamedListener:
      return section.listener;
    case Scope::kSecurity:
      return &security_of(section);
    case Scope::kBridge:
      return section.bridge;
    case Scope::kGlobal:
    case Scope::kPlugin:
      break;
  }
  return &draft_;
}

void Reader::add(const Section& section, const Line& line, std::string_view text) {
  problems_.push_back(fmt::format("{}:{}: \"{}\"{}{}", section.file, line.number, line.name,
                                  text.starts_with(':') ? "" : " ", text));
}

void Reader::add_unknown(const Section& section, const Line& line) {
  std::vector<std::string_view> known{kStructure.begin(), kStructure.end()};
  for (const Key& key : keys()) known.push_back(key.name);
  const auto near = suggest(line.name, known);
  problems_.push_back(fmt::format("{}:{}: unknown configuration variable \"{}\"{}", section.file, line.number,
                                  line.name,
                                  line.name == "#" ? "; a comment begins at the very start of its line"
                                  : near           ? fmt::format("; did you mean \"{}\"?", *near)
                                                   : ""));
}

}  // namespace nightjar::config::mosquitto
