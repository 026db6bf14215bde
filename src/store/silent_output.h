// Keeps what a library prints from the terminal, as long as it lives. While no other thread prints.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>

namespace nightjar::store {

class SilentOutput {
 public:
  SilentOutput() {
    const int nothing = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (Stream& stream : streams_) {
      std::fflush(stream.file);
      stream.kept = ::dup(::fileno(stream.file));
      if (nothing >= 0) ::dup2(nothing, ::fileno(stream.file));
    }
    if (nothing >= 0) ::close(nothing);
  }
  ~SilentOutput() {
    for (const Stream& stream : streams_) {
      std::fflush(stream.file);
      if (stream.kept < 0) continue;
      ::dup2(stream.kept, ::fileno(stream.file));
      ::close(stream.kept);
    }
  }
  SilentOutput(const SilentOutput&) = delete;
  SilentOutput& operator=(const SilentOutput&) = delete;

 private:
  struct Stream {
    std::FILE* file;
    int kept = -1;
  };
  std::array<Stream, 2> streams_{{{stdout}, {stderr}}};
};

}  // namespace nightjar::store
