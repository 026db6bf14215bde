#include "config/reference.h"

#include <fmt/format.h>

#include <iterator>

#include "config/schema.h"

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

}  // namespace

std::string reference() {
  std::string out{kIntroduction};
  Config config;
  ListenerConfig listener = fresh_listener(config);
  Section listeners = section_of(listener);
  // Its first four keys are its own; the rest is documented once, at [limits].
  listeners.slots.resize(4);
  write_section(out, listeners, "[[listener]]");
  for (const Section& nested : listeners.nested)
    write_section(out, nested, fmt::format("[listener.{}]", nested.name));
  for (const Section& section : sections_of(config)) {
    write_section(out, section, fmt::format("[{}]", section.name));
    for (const Section& nested : section.nested) {
      write_section(out, nested, fmt::format("[{}.{}]", section.name, nested.name));
    }
  }
  return out;
}

}  // namespace nightjar::config
