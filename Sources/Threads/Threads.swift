import Glibc

/// A lock with conditions. Waiting sleeps; it never spins, since ranks share processors.
package final class Monitor: @unchecked Sendable {
  // Unchecked: the POSIX objects are made for use by several threads, at addresses that never change.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let conditions: UnsafeMutableBufferPointer<pthread_cond_t>

  /// - Parameter conditions: how many there are to wait on, numbered from 0.
  package init(conditions count: Int = 1) {
    pthread_mutex_init(mutex, nil)
    conditions = .allocate(capacity: count)
    for index in conditions.indices { pthread_cond_init(conditions.baseAddress! + index, nil) }
  }

  deinit {
    for index in conditions.indices { pthread_cond_destroy(conditions.baseAddress! + index) }
    pthread_mutex_destroy(mutex)
    conditions.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` while no other thread is in here.
  package func withLock<Result, E: Error>(_ body: () throws(E) -> Result) throws(E) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Runs `body` unless another thread holds the lock.
  package func withLockIfFree(_ body: () -> Void) {
    guard pthread_mutex_trylock(mutex) == 0 else { return }
    defer { pthread_mutex_unlock(mutex) }
    body()
  }

  /// Gives the lock up until somebody calls ``wakeAll(on:)`` for the condition; may also return early.
  package func wait(on condition: Int = 0) { pthread_cond_wait(conditions.baseAddress! + condition, mutex) }

  /// Wakes every thread that waits on the condition.
  package func wakeAll(on condition: Int = 0) { pthread_cond_broadcast(conditions.baseAddress! + condition) }
}

/// Starts a POSIX thread, with a stack large enough for OpenBLAS, that is to be joined.
///
/// - Returns: `nil` when the system has no thread to give.
package func startThread(_ body: @escaping @Sendable () -> Void) -> pthread_t? {
  final class Start: Sendable {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var attributes = pthread_attr_t()
  pthread_attr_init(&attributes)
  pthread_attr_setstacksize(&attributes, 8 << 20)
  defer { pthread_attr_destroy(&attributes) }
  let start = Unmanaged.passRetained(Start(body))
  var thread = pthread_t()
  let status = pthread_create(
    &thread, &attributes,
    { start in
      if let start { Unmanaged<Start>.fromOpaque(start).takeRetainedValue().body() }
      return nil
    }, start.toOpaque())
  guard status == 0 else {
    start.release()
    return nil
  }
  return thread
}

/// Starts a thread that nobody joins.
///
/// - Returns: false when the system has no thread to give.
package func startDetachedThread(_ body: @escaping @Sendable () -> Void) -> Bool {
  guard let thread = startThread(body) else { return false }
  pthread_detach(thread)
  return true
}
