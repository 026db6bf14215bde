#include "config/reference.h"

#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "config/chinese.h"
#include "config/describe.h"
#include "config/schema.h"
#include "config/suggest.h"

namespace nightjar::config {
namespace {

constexpr std::string_view kTitle = "Configuration";
constexpr std::string_view kForm =
    "`nightjar serve -c nightjar.toml` reads a [TOML](https://toml.io) file. Every key is optional. Sizes "
    "are "
    "written\n`\"16MiB\"`, durations `\"5s\"` or `\"7d\"`. Options on the command line (`-p`, `--data`, "
    "`--workers`) override the file.";
constexpr std::string_view kWithoutListener =
    "Without any listener the broker serves 127.0.0.1 and ::1 on port 1883 and lets anonymous clients in "
    "there. "
    "A listener\nof the file lets nobody in without proof of who they are, unless it says `allow_anonymous = "
    "true`.";
constexpr std::string_view kExample = R"(```toml
[node]
data = "/var/lib/nightjar"

[[listener]]
name = "plain"
address = "*"
port = 1883
allow_anonymous = true
max_packet_size = "1MiB"

[queue]
max_messages = 1000
overflow = "drop-old"
```)";
constexpr std::string_view kOrigin =
    "This page is the output of `nightjar serve --print-config-reference --language en`.";
constexpr std::string_view kColumns = "Key | Default | Value | Meaning";
constexpr std::string_view kValueIs = "Value: ";
constexpr std::string_view kDefaultIs = "Default: ";
constexpr std::string_view kForExample = "Example:";

constexpr std::string_view kWords[] = {kTitle,   kForm,    kWithoutListener, kOrigin,
                                       kColumns, kValueIs, kDefaultIs,       kForExample};

// "|" ends a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string heading_of(std::string_view table, bool is_list) {
  return is_list ? fmt::format("[[{}]]", table) : fmt::format("[{}]", table);
}

// The reference in one language.
class Page {
 public:
  explicit Page(Language language) : language_(language) {}

  void introduce() {
    fmt::format_to(end(), "# {}\n\n{}\n\n{}\n\n{}\n\n{}\n", say(kTitle), say(kForm), say(kWithoutListener),
                   kExample, say(kOrigin));
  }

  void write_section(const Section& section, const std::string& heading) {
    fmt::format_to(end(), "\n## {}\n\n{}\n\n| {} |\n|---|---|---|---|\n", heading, say(section.meaning),
                   say(kColumns));
    for (const Slot& slot : section.slots) {
      fmt::format_to(end(), "| `{}` | `{}` | {} | {} |\n", slot.name, to_toml(slot.shape, slot.get()),
                     cell(describe(slot.shape, language_)), cell(say(slot.meaning)));
    }
  }

  void write_nested(const Section& section, const std::string& outer) {
    const std::string name = fmt::format("{}.{}", outer, section.name);
    write_section(section, heading_of(name, static_cast<bool>(section.further)));
    for (const Section& nested : section.nested) write_nested(nested, name);
  }

  std::string text() && { return std::move(text_); }

 private:
  [[nodiscard]] std::string_view say(std::string_view english) const {
    return in_language(language_, english);
  }
  std::back_insert_iterator<std::string> end() { return std::back_inserter(text_); }

  Language language_;
  std::string text_;
};

// Every key with its full name.
struct NamedSlot {
  std::string name;
  std::string heading;
  Slot slot;
  bool is_repeated = false;  // a listener's key that [limits] has as well: found by its full name only
};

void gather(const Section& section, const std::string& table, bool is_list, std::vector<NamedSlot>& all) {
  for (const Slot& slot : section.slots) {
    all.push_back({fmt::format("{}.{}", table, slot.name), heading_of(table, is_list), slot});
  }
  for (const Section& nested : section.nested) {
    gather(nested, fmt::format("{}.{}", table, nested.name), static_cast<bool>(nested.further), all);
  }
}

std::size_t count_limits(Config& config) {
  for (const Section& section : sections_of(config)) {
    if (section.name == "limits") return section.slots.size();
  }
  return 0;
}

// `config` and `listener` hold what the slots refer to.
std::vector<NamedSlot> all_keys(Config& config, ListenerConfig& listener) {
  std::vector<NamedSlot> all;
  const Section listeners = section_of(listener);
  const std::size_t own = listeners.slots.size() - count_limits(config);
  gather(listeners, "listener", true, all);
  for (std::size_t i = own; i < listeners.slots.size(); ++i) all[i].is_repeated = true;
  for (const Section& section : sections_of(config)) gather(section, section.name, false, all);
  return all;
}

std::string_view last_part(std::string_view name) { return name.substr(name.rfind('.') + 1); }

std::string explanation(const NamedSlot& key, Language language) {
  const Slot& slot = key.slot;
  const auto say = [language](std::string_view english) { return in_language(language, english); };
  return fmt::format("{}\n  {}\n  {}{}\n  {}{}\n  {}\n    {}\n    {} = {}\n", key.name, say(slot.meaning),
                     say(kValueIs), describe(slot.shape, language), say(kDefaultIs),
                     to_toml(slot.shape, slot.get()), say(kForExample), key.heading, slot.name,
                     example_of(slot));
}

tl::unexpected<Error> unknown_key(std::string_view key, const std::vector<NamedSlot>& all) {
  std::vector<std::string_view> known;
  for (const NamedSlot& each : all) {
    known.push_back(each.name);
    known.push_back(last_part(each.name));
  }
  const auto near = suggest(key, known);
  return fail(fmt::format("there is no key \"{}\"{}", key,
                          near ? fmt::format("; did you mean \"{}\"?", *near)
                               : "; \"nightjar serve --print-config-reference\" lists all"));
}

}  // namespace

Result<std::string> explain(std::string_view key, Language language) {
  Config config;
  ListenerConfig listener = fresh_listener(config);
  const std::vector<NamedSlot> all = all_keys(config, listener);
  std::string out;
  for (const NamedSlot& each : all) {
    const bool is_asked = each.name == key || (last_part(each.name) == key && !each.is_repeated);
    if (is_asked) out += (out.empty() ? "" : "\n") + explanation(each, language);
  }
  if (out.empty()) return unknown_key(key, all);
  return out;
}

std::string reference(Language language) {
  Page page(language);
  page.introduce();
  Config config;
  ListenerConfig listener = fresh_listener(config);
  Section listeners = section_of(listener);
  // Its own keys come first; the rest is documented once, at [limits].
  listeners.slots.resize(listeners.slots.size() - count_limits(config));
  page.write_section(listeners, "[[listener]]");
  for (const Section& nested : listeners.nested) page.write_nested(nested, "listener");
  for (const Section& section : sections_of(config)) {
    page.write_section(section, heading_of(section.name, false));
    for (const Section& nested : section.nested) page.write_nested(nested, section.name);
  }
  return std::move(page).text();
}

std::span<const std::string_view> words_of_reference() { return kWords; }

}  // namespace nightjar::config
