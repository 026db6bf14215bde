// Password files: no text breaks the reader; what it takes is what a plain reading of the lines finds.
#include <string>
#include <string_view>

#include "auth/lines.h"
#include "auth/password_file.h"
#include "fuzz_input.h"

using namespace nightjar;
using nightjar::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto table = auth::PasswordTable::parse(text, "f");
  if (!table) {
    require(table.error().message.starts_with("f:"), "an error names file and line");
    return 0;
  }
  std::size_t users = 0;
  auth::Lines lines(text);
  for (std::string_view line; lines.next(line);) {
    line = auth::trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    ++users;
    const std::string_view user = line.substr(0, line.find(':'));
    const auth::PasswordHash* hash = table->find(user);
    require(hash != nullptr, "every line has a user");
    require(line == std::string(user) + ":" + hash->text(), "a hash is kept as it is written");
    // Cheap ones only: the others take as long as the file says.
    if (hash->kind() == auth::HashKind::kSha512) (void)hash->verify(as_bytes(user));
  }
  require(users == table->size(), "every line is a user");
  return 0;
}
