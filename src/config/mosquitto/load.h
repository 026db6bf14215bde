// Reads a mosquitto.conf, with the files that it includes, as Mosquitto 2.0 and 2.1 mean it. Every problem is
// found in one go. Reads files through `Files`, opens nothing else; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/load.h"
#include "config/mosquitto/lines.h"

namespace nightjar::config::mosquitto {

// What Mosquitto's command line says beside the file.
struct Options {
  std::optional<std::uint16_t> port;  // -p: of the listener that is there when the file names none
  bool is_verbose = false;            // -v: everything is logged
  bool is_without_bridges = false;    // bridges are read and left out
};

// True if `text` is in Mosquitto's language and not in TOML: by the name of its file, or by what it says.
bool is_mosquitto_conf(std::string_view path, std::string_view text);

Result<Config, Problems> load(const std::string& path, Files& files, const Options& options);
// The same for files on the disk.
Result<Config, Problems> load_file(const std::string& path, const Options& options);

}  // namespace nightjar::config::mosquitto
