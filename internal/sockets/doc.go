// Package sockets lets two generations of a program that knows nothing of it listen at the same
// addresses, and says which of them gets new connections. It knows processes by their pid only,
// and nothing of what a generation means.
//
// A candidate, which is about to become the program, calls [Trap] and sends the descriptor that
// it gets to the supervisor, whose [Holder] adopts it:
//
//	listener, reason := sockets.Trap()           // in the candidate, before execve(2)
//	sockets.Send(gate, byte(reason), listener)
//
//	mark, listener, err := sockets.Receive(gate) // in the supervisor
//	next, err := holder.Adopt(listener, pid)
//	proof := next.Prove(old, nil)                // it listens where the old one does, and accepts
//	<-proof.Done()
//	holder.Choose(next)                          // new connections are its
//	drain := old.Drain(10 * time.Second)         // the old one serves what it has
//	<-drain.Done()                               // and can be stopped
//
// # What is trapped
//
// Three calls stop until the holder has answered (seccomp_unotify(2)): listen(2); bind(2) with an
// address of 16 bytes or more; and setsockopt(2) of what says where and how a socket may be bound,
// which servers call before: SO_REUSEADDR, SO_REUSEPORT, IPV6_V6ONLY, SO_BINDTODEVICE,
// SO_BINDTOIFINDEX, IP_FREEBIND, IP_TRANSPARENT and the last two of IPv6. All else runs at full
// speed. Each of these calls of the program waits for the holder, so that its goroutine waits for
// no one.
//
// # How a socket is taken
//
//  1. At the first of these calls on a TCP socket the holder makes a socket of its own, like the
//     program's, and puts it in the program's place under the same number
//     (SECCOMP_IOCTL_NOTIF_ADDFD). It keeps a duplicate. The call goes on, on ours. Options that
//     are set from then on, and epoll sets, are the program's own.
//  2. At bind, SO_REUSEADDR is set; and SO_REUSEPORT, if another generation listens anywhere.
//  3. At listen, SO_REUSEPORT is set and the holder calls listen(2) itself, on its duplicate, and
//     answers with the result. So it knows when a socket listens, and in which order they do.
//  4. A duplicate that does not listen is closed at the first sign that the socket is used; and
//     one that no process has any more at a poll, when the port is opened again, or when a process
//     that has called listen(2) ends.
//
// The holder reads nothing of the program's memory. What it reads in /proc it reads as the
// program's user, and believes only while the notification is valid. What it knows of a socket it
// asks of its own duplicate.
//
// # How one is chosen
//
// Sockets that listen at one address with SO_REUSEPORT are a group, in which the kernel finds one
// for a new connection by a hash; or by a classic BPF program, which needs no privilege. Before a
// second generation joins a group, the program that points at the first one is attached. A probe
// of ours comes from a port that we hold, and the program sends it to the new generation. When
// one generation is left, the program is taken off again. The kernel wants all sockets of a group
// to be made by one user: the holder makes them all.
//
// # What is not held
//
// [Trap] gives a reason where the kernel or its setup can't do it. [State] tells of what listens
// and is not held: Unix sockets, other protocols, sockets that were given to the program, or that
// it had in an epoll set or under two numbers before the first of the calls, or in another
// network namespace, and those of a program that changed its user without an execve(2). The
// program itself never notices: where a socket can't be taken, the call goes on as it is.
//
// # Known limits
//
//   - Options that were set before the first of the three calls are lost, except TCP_NODELAY. A
//     plain TCP socket takes the place of one of multipath TCP.
//   - In a next generation, a second socket at an address fails at listen(2), and not at bind(2)
//     already.
//   - A port that the program has closed goes on queueing connections until the next poll, or until
//     the process that called listen(2) ends.
//   - A call of the program that waits while the supervisor is stopped may fail with EINTR, as
//     other calls that wait do, when a signal comes whose handler was set without SA_RESTART.
//   - While processes live whose holder is gone, the trapped calls fail with ENOSYS.
//   - The bind and listen of io_uring are not seen. A socket that was taken is found when it
//     listens, at a sweep.
//   - A handshake that has begun before a choice and ends after the old socket is closed is
//     reset, unless the sysctl net.ipv4.tcp_migrate_req is 1.
//   - When several listening sockets of one group are shut down by shutdown(2) between two looks,
//     their order is guessed.
package sockets
