// Whether files are still the ones that were read: their inode, size and time of change, links followed. A
// file that is not there has a stamp, too. Reads the file system.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nightjar::cli {

struct FileStamp {
  std::uint64_t inode = 0;
  std::int64_t size = -1;
  std::int64_t changed_ns = 0;
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};
using FileStamps = std::vector<FileStamp>;

inline FileStamps stamps_of(const std::vector<std::string>& paths) {
  FileStamps stamps;
  for (const std::string& path : paths) {
    struct stat found {};
    if (::stat(path.c_str(), &found) != 0) {
      stamps.emplace_back();
      continue;
    }
    stamps.push_back({.inode = found.st_ino,
                      .size = found.st_size,
                      .changed_ns = found.st_mtim.tv_sec * 1'000'000'000 + found.st_mtim.tv_nsec});
  }
  return stamps;
}

}  // namespace nightjar::cli
