// Goes through the lines of a mosquitto.conf, and of what it includes, and lets each act on the draft by the
// table of keys. Pure but for `Files`; used by one thread.
#pragma once

#include <cstddef>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.h"
#include "config/mosquitto/draft.h"
#include "config/mosquitto/keys.h"
#include "config/mosquitto/lines.h"

namespace nightjar::config::mosquitto {

class Reader {
 public:
  Reader(Files& files, Draft& draft, Problems& problems, std::vector<std::string>& warnings)
      : files_(files), draft_(draft), problems_(problems), warnings_(warnings) {}

  void read(const std::string& path);

 private:
  // Where a line stands: each file begins with the default listener again.
  struct Section {
    std::string file;
    bool is_included = false;
    ListenerDraft* listener = nullptr;
    Bridge* bridge = nullptr;
    Plugin* plugin = nullptr;
  };

  void read_file(const std::string& path, bool is_included);
  void read_line(Section& section, const Line& line);
  // Lines that shape the file; false if it is none of them.
  bool read_structure(Section& section, const Line& line);
  void include(Section& section, const Line& line);
  void begin_listener(Section& section, const Line& line);
  void begin_bridge(Section& section, const Line& line);
  // False if it is no key of plugins.
  bool read_plugin(Section& section, const Line& line);
  void read_plugin_option(Section& section, const Line& line, std::string_view name);
  void read_key(Section& section, const Line& line, const Key& key);

  void note_places(Section& section, const Line& line, const Key& key);

  Security& security_of(Section& section);
  const void* owner_of(Section& section, const Key& key);
  void add(const Section& section, const Line& line, std::string_view text);
  void add_unknown(const Section& section, const Line& line);

  Files& files_;
  Draft& draft_;
  Problems& problems_;
  std::vector<std::string>& warnings_;
  bool has_security_ = false;                                // a line about who may enter has come
  std::set<std::pair<const void*, std::string_view>> seen_;  // text keys, by what they belong to
};

}  // namespace nightjar::config::mosquitto
