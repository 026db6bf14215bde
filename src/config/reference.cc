#include "config/reference.h"

#include <fmt/format.h>

#include <iterator>
#include <vector>

#include "config/schema.h"
#include "config/suggest.h"

namespace nightjar::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

`nightjar serve -c nightjar.toml` reads a [TOML](https://toml.io) file. Every key is optional. Sizes are written
`"16MiB"`, durations `"5s"` or `"7d"`. Options on the command line (`-p`, `--data`, `--workers`) override the file.

Without any listener the broker serves 127.0.0.1 and ::1 on port 1883 and lets anonymous clients in there. A listener
of the file lets nobody in without proof of who they are, unless it says `allow_anonymous = true`.

```toml
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
```

This page is the output of `nightjar serve --print-config-reference`.
)";

// "|" ends a cell of a Markdown table.
std::string cell(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

void write_section(std::string& out, const Section& section, const std::string& heading) {
  fmt::format_to(std::back_inserter(out),
                 "\n## {}\n\n{}\n\n| Key | Default | Value | Meaning |\n|---|---|---|---|\n", heading,
                 section.meaning);
  for (const Slot& slot : section.slots) {
    fmt::format_to(std::back_inserter(out), "| `{}` | `{}` | {} | {} |\n", slot.name,
                   to_toml(slot.shape, slot.get()), cell(describe(slot.shape)), cell(slot.meaning));
  }
}

void write_nested(std::string& out, const Section& section, const std::string& outer) {
  const std::string name = fmt::format("{}.{}", outer, section.name);
  write_section(out, section, section.further ? fmt::format("[[{}]]", name) : fmt::format("[{}]", name));
  for (const Section& nested : section.nested) write_nested(out, nested, name);
}

// Every key with its full name, once: those of [limits] are not repeated for listeners.
struct NamedSlot {
  std::string name;
  Slot slot;
};

void gather(const Section& section, const std::string& heading, std::vector<NamedSlot>& all) {
  for (const Slot& slot : section.slots) all.push_back({fmt::format("{}.{}", heading, slot.name), slot});
  for (const Section& nested : section.nested)
    gather(nested, fmt::format("{}.{}", heading, nested.name), all);
}

void drop_limits(Section& listeners, Config& config) {
  for (const Section& section : sections_of(config)) {
    if (section.name == "limits") listeners.slots.resize(listeners.slots.size() - section.slots.size());
  }
}

std::string_view last_part(std::string_view name) { return name.substr(name.rfind('.') + 1); }

std::string explanation(const NamedSlot& key) {
  const Shape& shape = key.slot.shape;
  return fmt::format("{}\n  {}\n  Value: {}.\n  Default: {}\n", key.name, key.slot.meaning, describe(shape),
                     to_toml(shape, key.slot.get()));
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

Result<std::string> explain(std::string_view key) {
  Config config;
  ListenerConfig listener = fresh_listener(config);
  Section listeners = section_of(listener);
  drop_limits(listeners, config);
  std::vector<NamedSlot> all;
  gather(listeners, "listener", all);
  for (const Section& section : sections_of(config)) gather(section, section.name, all);
  std::string out;
  for (const NamedSlot& each : all) {
    const bool is_asked = each.name == key || last_part(each.name) == key;
    if (is_asked) out += (out.empty() ? "" : "\n") + explanation(each);
  }
  if (out.empty()) return unknown_key(key, all);
  return out;
}

std::string reference() {
  std::string out{kIntroduction};
  Config config;
  ListenerConfig listener = fresh_listener(config);
  Section listeners = section_of(listener);
  // Its own keys come first; the rest is documented once, at [limits].
  drop_limits(listeners, config);
  write_section(out, listeners, "[[listener]]");
  for (const Section& nested : listeners.nested) write_nested(out, nested, "listener");
  for (const Section& section : sections_of(config)) {
    write_section(out, section, fmt::format("[{}]", section.name));
    for (const Section& nested : section.nested) write_nested(out, nested, section.name);
  }
  return out;
}

}  // namespace nightjar::config
