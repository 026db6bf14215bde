#include "config/write.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>

#include "config/describe.h"
#include "config/difference.h"
#include "config/schema.h"

namespace nightjar::config {
namespace {

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\u{:04X}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

// A value that no file may say becomes the nearest that one may: `differences` shows it.
Value within(const Shape& shape, Value value) {
  const bool is_amount =
      shape.kind == Kind::kNumber || shape.kind == Kind::kSize || shape.kind == Kind::kDuration;
  if (!is_amount) return value;
  const std::int64_t amount = std::get<std::int64_t>(value);
  if (shape.never != 0 && amount == shape.never) return value;
  return std::clamp(amount, shape.min, shape.max);
}

std::string value_text(const Slot& slot) {
  const Value value = within(slot.shape, slot.get());
  if (slot.shape.kind == Kind::kText) return quoted(std::get<std::string>(value));
  if (slot.shape.kind != Kind::kTexts) return to_toml(slot.shape, value);
  std::vector<std::string> texts;
  for (const std::string& each : std::get<std::vector<std::string>>(value)) texts.push_back(quoted(each));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

// Meanings fit one line of the schema each, but not one of a file.
std::string comment(std::string_view text) {
  constexpr std::size_t kWidth = 98;
  std::string out;
  while (!text.empty()) {
    std::size_t end = text.size() <= kWidth ? text.size() : text.rfind(' ', kWidth);
    if (end == std::string_view::npos) end = text.size();
    out += fmt::format("# {}\n", text.substr(0, end));
    text.remove_prefix(end == text.size() ? end : end + 1);
  }
  return out;
}

class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  // What differs in `now`. With a `heading` the table is written even if nothing does.
  void table(const Section& before, const Section& now, const std::string& label, std::string_view heading,
             bool is_unix) {
    std::string keys;
    for (std::size_t i = 0; i < now.slots.size(); ++i) {
      const Slot& slot = now.slots[i];
      // A Unix socket has neither.
      if (is_unix && (slot.name == "address" || slot.name == "port")) continue;
      if (!is_unix && slot.name == "path_mode") continue;
      const bool is_asked = !heading.empty() && !is_unix && (slot.name == "address" || slot.name == "port");
      if (!is_asked && slot.get() == before.slots[i].get()) continue;
      keys += comment(slot.meaning) + fmt::format("{} = {}\n", slot.name, value_text(slot));
    }
    if (!heading.empty()) {
      out_ += fmt::format("\n{}\n{}", heading, keys);
    } else if (!keys.empty()) {
      out_ += fmt::format("\n[{}]\n{}", label, keys);
    }
    for (std::size_t i = 0; i < now.nested.size(); ++i) {
      if (now.nested[i].further) continue;
      table(before.nested[i], now.nested[i], fmt::format("{}.{}", label, now.nested[i].name), {}, false);
    }
  }

 private:
  std::string& out_;
};

void write_more_certificates(std::string& out, const TlsConfig& tls) {
  for (const CertificateFiles& files : tls.more) {
    out += fmt::format("\n[[listener.tls.more]]\ncertificate = {}\nkey = {}\n", quoted(files.certificate),
                       quoted(files.key));
  }
}

}  // namespace

std::string write_toml(Config config, std::string_view header) {
  std::string out;
  while (!header.empty()) {
    const std::size_t end = std::min(header.find('\n'), header.size());
    out += fmt::format("# {}\n", header.substr(0, end));
    header.remove_prefix(std::min(end + 1, header.size()));
  }
  Config defaults;
  Writer writer(out);
  const std::vector<Section> before = sections_of(defaults);
  const std::vector<Section> now = sections_of(config);
  for (std::size_t i = 0; i < now.size(); ++i) writer.table(before[i], now[i], now[i].name, {}, false);
  for (ListenerConfig& listener : config.listeners) {
    if (listener.is_left_out) continue;
    ListenerConfig fresh = fresh_listener(config);
    writer.table(section_of(fresh), section_of(listener), "listener", "[[listener]]",
                 !listener.unix_path.empty());
    write_more_certificates(out, listener.tls);
  }
  return out;
}

std::vector<std::string> unsayable(const Config& config) {
  std::vector<std::string> lines;
  for (const std::string& each : config.log.more_destinations)
    lines.push_back(fmt::format("log: only to \"{}\", not to \"{}\" as well: there is one destination",
                                config.log.destination, each));
  if (config.log.facility != LogConfig{}.facility)
    lines.emplace_back("log_facility: syslog gets the log under \"daemon\"");
  for (const ListenerConfig& listener : config.listeners) {
    const std::string_view address = std::string_view(listener.address).substr(0, listener.address.find('%'));
    const bool is_name = address != "*" && address != "localhost" && !listener.is_left_out &&
                         address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos;
    if (is_name)
      lines.push_back(
          fmt::format("listener {}: write the address of \"{}\" instead of its name; Nightjar's own "
                      "configuration takes no host names",
                      name_of(listener), address));
    if (listener.auth.has_mosquitto_acl && listener.auth.acl_file.ends_with(".toml")) {
      lines.push_back(fmt::format("listener {}: rename {}: an acl_file that ends in .toml is Nightjar's own",
                                  name_of(listener), listener.auth.acl_file));
    }
    if (listener.is_left_out) lines.push_back(fmt::format("listener {} is left out", name_of(listener)));
  }
  return lines;
}

}  // namespace nightjar::config
