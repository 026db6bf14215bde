// A directory of one test alone, gone with it: ctest runs tests beside each other, each in a process of its
// own.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

namespace nightjar::test_support {

class TempDir {
 public:
  TempDir() {
    std::string name = std::filesystem::temp_directory_path() / "nightjar_test_XXXXXX";
    path_ = ::mkdtemp(name.data());
    // A test may go on as another user.
    std::filesystem::permissions(path_, std::filesystem::perms{0755});
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace nightjar::test_support
