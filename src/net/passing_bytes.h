// Memory for bytes that pass through a filter within one turn. Connections take their turns one after the
// other, so each thread keeps a few warm buffers for all of its filters, and an idle filter holds none. Every
// thread has its own.
#pragma once

#include "base/bytes.h"

namespace nightjar::net {

class PassingBytes {
 public:
  // Gives a buffer without memory some, if there is any.
  static void lend(ByteBuffer& buffer);
  // Takes the memory of an empty buffer.
  static void take_back(ByteBuffer& buffer);
  // Takes all that `buffer` holds, and its memory. The view ends when anything else is handed out on this
  // thread.
  static ByteView hand_out(ByteBuffer& buffer);

  static constexpr std::size_t kBuffersMax = 3;
  // A larger one goes back to the heap; a filter makes little more than one read of one read.
  static constexpr std::size_t kBufferBytesMax = 256 * 1024;
};

}  // namespace nightjar::net
